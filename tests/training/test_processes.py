"""Runs of several processes: equal codebooks and weights on all ranks, however the processes were started."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import ALWAYS, SMALL_ADVERSARIAL, logged, numbers, run_python, toy_config, written

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.config.training import TrainConfig
from vqaudio.training.processes import _processes

# As `python -m vqaudio.train`, but every rank leaves its weights behind, and how often codes were revived.
WORKER = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml
from vqaudio.config.training import TrainConfig
from vqaudio.training.loop import Trainer

placed, place = [], Codebook._place

def counted(self, where, vectors, count):
    placed.append(len(where))
    place(self, where, vectors, count)

Codebook._place = counted
trainer = Trainer(parse(TrainConfig, load_yaml(sys.argv[1])), progress=False)
trainer.run()
modules, _ = trainer._parts()
tensors = {
    f"{name}/{key}": tensor.contiguous().clone()
    for name, module in modules.items() for key, tensor in module.state_dict().items()
}
rank = trainer.fabric.global_rank
tensors["heard"] = trainer.task.train_crops.batch(0, rank).target
tensors["placed"] = torch.tensor(placed)
save_file(tensors, Path(sys.argv[1]).parent / f"rank{rank}.safetensors")
"""


def two_process_config(folder: Path, update: str = "ema") -> TrainConfig:
    """Few crops for many codes, so that codes die and are revived."""
    config = toy_config(folder, devices=2, weight_ema=0.9, adversarial=SMALL_ADVERSARIAL, save_every_minutes=ALWAYS)
    bottleneck = ResidualConfig(codebook_size=64, n_codebooks=2, update=update, revive_below=0.5)
    return config.model_copy(update={"model": config.model.model_copy(update={"bottleneck": bottleneck})})


@pytest.mark.slow
@pytest.mark.parametrize("update", ["ema", "loss"])
def test_two_processes_end_with_equal_codebooks_and_weights(tmp_path, update):
    config = two_process_config(tmp_path, update)
    path = written(config, tmp_path)
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER, encoding="utf-8")
    done = run_python(str(worker), path)
    assert done.returncode == 0, done.stderr
    ranks = [load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2)]
    heard = [rank.pop("heard") for rank in ranks]
    assert not torch.equal(*heard)
    placed = ranks[0]["placed"].tolist()
    assert placed[:2] == [64, 64]  # both codebooks start from data
    assert len(placed) > 2  # codes died and were revived
    modules = {"model", "average", "discriminators", "gradient_norms"}
    assert {name.split("/")[0] for name in ranks[0]} == modules | {"placed"}
    assert ranks[0]["gradient_norms/norms"].min() > 0  # the model has learned from discriminators
    for name, tensor in ranks[0].items():
        assert torch.equal(tensor, ranks[1][name]), name
    assert numbers(config.out)["heard"] == pytest.approx(12 * 2 * 2 * 0.25)
    assert len(logged(config.out)) == 12


@pytest.mark.slow
def test_torchrun_says_how_many_processes_there_are(tmp_path):
    """Against the config, which asks for one; and a failure is one line, by the first rank alone."""
    config = two_process_config(tmp_path).model_copy(update={"devices": 1, "steps": 3})
    path = written(config, tmp_path)
    launcher = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "-m", "vqaudio.train", path)
    done = run_python(*launcher)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{config.out}/model.safetensors\n"
    assert "distributed" not in done.stderr  # the library's greetings
    assert numbers(config.out) == numbers(config.out) | {"step": 3, "heard": pytest.approx(3 * 2 * 2 * 0.25)}

    done = run_python(*launcher, "--set", f"out={tmp_path / 'other'}", "--set", "learning_rate=1e30")
    assert done.returncode != 0
    assert done.stderr.count("error: the loss became nan") == 1


def test_launchers_overrule_the_config(monkeypatch):
    config = TrainConfig(devices=3, nodes=2)
    for name in ("LT_CLI_USED", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert _processes(config) == (3, 2)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "torchrun")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert _processes(config) == (4, 2)
    monkeypatch.setenv("LT_CLI_USED", "1")  # `fabric run` starts torchrun, and leaves word for Fabric itself
    assert _processes(config) == ("auto", 1)


# As `python -m vqaudio.train`, but one process runs out of memory at some step, on its own.
FAILING = """
import sys
from vqaudio.train import main
from vqaudio.training.codec import CodecTask

batch = CodecTask.batch

def failing(self, network, step, *, rank, fraction):
    if (step, rank) == (2, int(sys.argv[2])):
        raise MemoryError("Unable to allocate 9 TiB")
    return batch(self, network, step, rank=rank, fraction=fraction)

CodecTask.batch = failing
raise SystemExit(main([sys.argv[1]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_fails_ends_all_of_them_with_its_one_sentence(tmp_path, rank):
    worker = tmp_path / "worker.py"
    worker.write_text(FAILING, encoding="utf-8")
    done = run_python(str(worker), written(two_process_config(tmp_path), tmp_path), str(rank))
    assert done.returncode == 1
    sentence = f"error: process {rank + 1} of 2: memory is not enough (Unable to allocate 9 TiB): lower data.batch_size"
    assert done.stderr.count("error:") == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_what_fails_in_all_processes_is_said_once(tmp_path):
    config = two_process_config(tmp_path).model_copy(update={"init_from": str(tmp_path / "none.safetensors")})
    done = run_python("-m", "vqaudio.train", written(config, tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "none.safetensors: no such model" in done.stderr
