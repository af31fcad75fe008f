"""Runs on a Ray cluster: what it must have, and, on one of two nodes, the same result as elsewhere, come what may."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from clusters import LocalCluster, kill
from safetensors.torch import load_file
from tiny_runs import ALWAYS, numbers, run_python, toy_config, two_process_config, written

from vqaudio.config.training import TrainConfig
from vqaudio.errors import ConfigError, LostProcessError
from vqaudio.training.on_ray import _accelerator, _reason, train_on_ray

STARTS = 300.0  # seconds that workers may take to start where others are at work


def resources(**there: float) -> SimpleNamespace:
    return SimpleNamespace(cluster_resources=lambda: there)


def test_gpus_are_used_where_they_are_asked_for_or_there():
    assert _accelerator(resources(CPU=4.0, GPU=2.0), "auto", 2, "auto") == "cuda"
    assert _accelerator(resources(CPU=4.0, GPU=2.0), "cpu", 4, "auto") == "cpu"
    assert _accelerator(resources(CPU=4.0), "auto", 4, "auto") == "cpu"


@pytest.mark.parametrize(
    ("there", "accelerator", "says"),
    [
        ({"CPU": 2.0}, "cpu", "3 workers with a CPU each, but the cluster has 2 CPUs; lower --workers"),
        ({}, "auto", "3 workers with a CPU each, but the cluster has no CPUs; lower --workers"),
        ({"CPU": 8.0}, "cuda", "3 workers with a GPU each, but the cluster has no GPUs; lower --workers"),
        ({"CPU": 8.0, "GPU": 1.0}, "auto", "3 workers with a GPU each, but the cluster has 1 GPU; lower --workers"),
        ({"CPU": 2.0, "GPU": 4.0}, "auto", "3 workers with a CPU each, but the cluster has 2 CPUs; lower --workers"),
    ],
)
def test_more_workers_than_there_is_room_for_are_refused_at_once(there, accelerator, says):
    with pytest.raises(ConfigError, match=f"^--cluster head:6379: {says}"):
        _accelerator(resources(**there), accelerator, 3, "head:6379")


class WorkerHealthCheckFailedError(Exception):
    """By this name Ray Train tells of a worker that is gone."""


def failed(*failures: Exception) -> Exception:
    """What Ray Train raises in the end."""
    error = Exception("Training failed")
    error.worker_failures = dict(enumerate(failures))  # type: ignore[attr-defined]
    return error


def test_workers_that_are_gone_too_often_are_told_with_the_way_on():
    gone, other = WorkerHealthCheckFailedError(), LostProcessError("another one is gone")
    way = r"(killed, or with its node); HINT, or let it go on by itself with a larger --max-failures"
    assert _reason(failed(gone, other), 0, "HINT") == f"a worker is gone without a word {way}"
    assert _reason(failed(gone), 3, "HINT") == f"a worker is gone without a word 4 times {way}"


def test_other_failures_of_ray_train_are_told_by_their_last_line():
    error = failed(WorkerHealthCheckFailedError(), ValueError("first\nno such thing\n"))
    assert _reason(error, 3, "HINT") == "Ray Train could not go on (no such thing); HINT"
    error = RuntimeError("Training failed due to controller error:\nno room")
    assert _reason(error, 3, "HINT") == "Ray Train could not go on (no room); HINT"


@pytest.mark.parametrize("cluster", ["auto", "ray://head:10001"])
def test_ray_client_is_refused(tmp_path, monkeypatch, cluster):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    with pytest.raises(
        ConfigError, match=f"^--cluster {cluster}: Ray Client cannot start a training; give .* HOST:PORT"
    ):
        train_on_ray(toy_config(tmp_path), cluster)


def started(config: TrainConfig, folder: Path, cluster: LocalCluster, *more: str) -> subprocess.Popen[str]:
    """The command, at work on a cluster."""
    command = [sys.executable, "-m", "vqaudio.train", written(config, folder), "--cluster", cluster.address, *more]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_of(said: str) -> list[str]:
    """What the command said, but for what it says where workers are slow to start, and Ray where one is slow to end."""
    others = re.compile(r"waiting for 2 workers to start|\[.*\] core_worker_process\.cc:")
    return [line for line in said.splitlines() if not others.match(line)]


def wait_for_step(config: TrainConfig, step: int, command: subprocess.Popen[str]) -> None:
    """Until a state of that step or a later one is saved."""
    deadline = time.monotonic() + STARTS
    while time.monotonic() < deadline and command.poll() is None:
        if (Path(config.out) / "resume.safetensors").exists() and numbers(config.out)["step"] >= step:
            return
        time.sleep(0.05)
    command.kill()
    raise AssertionError(command.communicate())


def trainers(cluster: LocalCluster) -> list[int]:
    """Process ids of the workers that train."""
    return [pid for pid in cluster.workers() if "RayTrainWorker" in Path(f"/proc/{pid}/cmdline").read_text()]


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_ends_as_one_that_was_started_here_undisturbed(tmp_path, ray_cluster):
    config = two_process_config(tmp_path).model_copy(update={"steps": 40})
    command = started(config, tmp_path, ray_cluster)
    wait_for_step(config, 5, command)
    kill(trainers(ray_cluster)[-1])
    output, said = command.communicate(timeout=STARTS)
    assert command.returncode == 0, said
    assert output == f"{config.out}/model.safetensors\n"
    again, validation = lines_of(said)
    assert again == "a worker or its node was lost: all go on from the last state (1 of 3)"
    assert validation.startswith("step 40: ")

    here = config.model_copy(update={"out": str(tmp_path / "here")})
    done = run_python("-m", "vqaudio.train", written(here, tmp_path), OMP_NUM_THREADS="1")  # as Ray gives a CPU
    assert done.returncode == 0, done.stderr
    for name in ("resume", "model", "discriminators"):
        found, expected = (load_file(Path(run.out) / f"{name}.safetensors") for run in (config, here))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected), name


@pytest.mark.slow
def test_a_command_that_is_told_to_end_lets_the_workers_save_first(tmp_path, ray_cluster):
    config = toy_config(tmp_path, steps=100_000, save_every_minutes=ALWAYS)
    command = started(config, tmp_path, ray_cluster, "--workers", "2")
    wait_for_step(config, 1, command)
    command.send_signal(signal.SIGTERM)
    _, said = command.communicate(timeout=STARTS)
    assert command.returncode == 130
    stopped, last = lines_of(said)
    assert stopped.startswith(f"stopped after step {numbers(config.out)['step']}; the last state is kept in ")
    assert last == "interrupted"
    assert not (Path(config.out) / "ray").exists()


@pytest.mark.slow
def test_what_fails_in_a_worker_is_a_sentence_here_and_the_state_stays(tmp_path, ray_cluster):
    config = toy_config(tmp_path, save_every_minutes=ALWAYS)
    in_the_way = Path(config.out) / "latest.safetensors"
    in_the_way.mkdir(parents=True)
    command = started(config, tmp_path, ray_cluster, "--workers", "2")
    _, said = command.communicate(timeout=STARTS)
    assert command.returncode == 1
    assert lines_of(said) == [f"error: {in_the_way}: is a folder; add a file name"]
    assert numbers(config.out)["step"] == 1


@pytest.mark.slow
def test_a_cluster_without_room_is_refused_before_anything_is_written(tmp_path, ray_cluster):
    config = toy_config(tmp_path)
    script = f"""
from vqaudio.train import main
for more in (["--workers", "3"], ["--device", "cuda"]):
    assert main([{written(config, tmp_path)!r}, "--cluster", {ray_cluster.address!r}, *more]) == 1
"""
    done = run_python("-c", script)
    assert done.returncode == 0, done.stderr
    cpus, gpus = done.stderr.splitlines()
    assert "3 workers with a CPU each, but the cluster has 2 CPUs" in cpus
    assert "1 worker with a GPU each, but the cluster has no GPUs" in gpus
    assert not Path(config.out).exists()
