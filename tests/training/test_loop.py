"""Whole training runs, tiny ones: what they leave behind, how they stop, and how they go on."""

from __future__ import annotations

import errno
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.loggers.csv_logs import CSVLogger
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_models import spectral_config, tiny_model
from tiny_runs import ALWAYS, SMALL_ADVERSARIAL, error_of, logged, numbers, run_python, toy_config, written

from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.train import main
from vqaudio.training.loop import Trainer

# -------------------------------------------------------------------------------------------- what a run leaves behind


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run of 40 steps, and what it printed on standard error."""
    folder = tmp_path_factory.mktemp("finished")
    config = toy_config(folder, steps=40, valid_every=20, learning_rate=3e-3)
    done = run_python("-W", "error", "-m", "vqaudio.train", written(config, folder))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{config.out}/model.safetensors\n"
    return folder / "run", done.stderr


def test_the_loss_falls(finished):
    figures = logged(finished[0])
    assert sorted(figures) == list(range(1, 41))
    assert figures[40]["train/mel"] < 0.6 * figures[1]["train/mel"]
    assert figures[40]["train/learning_rate"] < 1e-4
    assert {f"train/perplexity_{level}" for level in (1, 2, 3)} <= set(figures[40])


def test_the_model_can_be_used_and_says_how_it_was_made(finished):
    found = checkpoint.load(finished[0] / "model.safetensors")
    assert found.model.config == spectral_config()
    assert found.training["steps"] == 40
    assert found.training["hours_heard"] == round(40 * 2 * 0.25 / 3600, 2)
    assert checkpoint.load(finished[0] / "latest.safetensors").training["steps"] == 40


def test_tensorboard_has_curves_sounds_and_pictures(finished):
    events = EventAccumulator(str(finished[0] / "tensorboard" / "version_0"), size_guidance={"audio": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "valid/mel", "valid/unquantized_mel", "valid/si_sdr_db", "valid/used_1"} <= set(
        tags["scalars"]
    )
    assert sorted(tags["audio"]) == ["decoded/0", "decoded/1", "original/0", "original/1"]
    assert sorted(tags["images"]) == ["spectrogram/0", "spectrogram/1"]
    assert [event.step for event in events.Audio("decoded/0")] == [20, 40]
    assert events.Audio("original/0")[0].sample_rate == 16000
    assert events.Images("spectrogram/0")[0].height == 2 * 257


def test_a_run_shows_its_losses_and_nothing_else(finished):
    text = finished[1].replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    validations = [line for line in lines if line.startswith("step ")]
    assert [line.split(":")[0] for line in validations] == ["step 20", "step 40"]
    for name in ("mel", "complex", "SI-SDR", "codes used", "perplexity"):
        assert name in validations[0]
    assert all(line.startswith("step ") for line in lines), text  # no library's warnings, and no bar in a file


# ------------------------------------------------------------------------------------------------------------- resume


KILLER = """
import os, signal, sys
from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml
from vqaudio.config.training import TrainConfig
from vqaudio.training.interruption import Interruption
from vqaudio.training.loop import Trainer

path, last = sys.argv[1], int(sys.argv[2])
check = Trainer._refuse_nan

def kill_late(self, loss, norm):  # in the middle of a step: codebooks have moved, weights have not
    if self.step == last:
        os.kill(os.getpid(), signal.SIGKILL)
    check(self, loss, norm)

Trainer._refuse_nan = kill_late
Trainer(parse(TrainConfig, load_yaml(path)), resume=True, progress=False).run()
"""


@pytest.mark.parametrize(
    ("kills", "workers"),
    [
        ((10,), 0),
        pytest.param((4, 9), 0, marks=pytest.mark.slow),
        pytest.param((10,), 2, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch, kills, workers):
    """With discriminators (from step 6 on), a weight average, and codebooks that slow down in the last half.

    Whether workers prepare the crops or not: the run that is not killed has none.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    changes = {"steps": 14, "weight_ema": 0.9, "adversarial": SMALL_ADVERSARIAL, "save_every_minutes": ALWAYS}
    whole = toy_config(tmp_path, out=str(tmp_path / "whole"), **changes)
    Trainer(whole, progress=False).run()
    expected = logged(whole.out)

    config = toy_config(tmp_path, **changes)
    config = config.model_copy(update={"data": config.data.model_copy(update={"workers": workers})})
    path = written(config, tmp_path)
    for step in kills:
        killed = run_python("-c", KILLER, path, str(step))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert numbers(config.out)["step"] == step
    resumed = Trainer(config, resume=True, progress=False)
    assert (resumed.step, resumed.heard) == (kills[-1], pytest.approx(kills[-1] * 2 * 0.25))
    assert resumed.elapsed > 0
    resumed.run()

    found = {step: row for version in range(len(kills) + 1) for step, row in logged(config.out, version).items()}
    assert sorted(found) == sorted(expected) == list(range(1, 15))
    assert "train/discriminator" in expected[14]
    for step, row in expected.items():
        assert found[step] == pytest.approx(row, rel=1e-6, abs=1e-9), step
    for name in ("model", "before_adversarial"):
        ours, theirs = (load_file(Path(out) / f"{name}.safetensors") for out in (config.out, whole.out))
        assert sorted(ours) == sorted(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert checkpoint.load(Path(config.out) / "before_adversarial.safetensors").training["steps"] == 6


def test_the_state_keeps_everything_under_plain_names(tmp_path):
    config = toy_config(tmp_path, steps=3, weight_ema=0.9, adversarial=SMALL_ADVERSARIAL | {"start": 0.0})
    trainer = Trainer(config, progress=False)
    trainer.run()
    stored = load_file(Path(config.out) / "resume.safetensors")
    model = tiny_model().state_dict()
    assert {name.removeprefix("model/") for name in stored if name.startswith("model/")} == set(model)
    assert {name.removeprefix("average/") for name in stored if name.startswith("average/")} == set(model)
    for name, tensor in trainer.model.state_dict().items():  # codebooks' running sums and counts among them
        assert torch.equal(stored[f"model/{name}"], tensor)
    count = sum(1 for _ in trainer.model.parameters())
    fields = {
        f"optimizer/state/{index}/{field}" for index in range(count) for field in ("step", "exp_avg", "exp_avg_sq")
    }
    assert {name for name in stored if name.startswith("optimizer/")} == fields
    assert any(name.startswith("discriminators/0.layers.0.") for name in stored)
    assert stored["gradient_norms/counts"].tolist() == [1, 1, 1]  # after two steps of the discriminators alone
    assert stored["discriminator_optimizer/state/0/step"] == 3
    assert sorted(numbers(config.out)) == ["elapsed", "heard", "step"]


def test_a_run_can_be_resumed_with_an_average_and_discriminators_that_it_did_not_have(tmp_path):
    Trainer(toy_config(tmp_path, steps=3), progress=False).run()
    changed = toy_config(tmp_path, steps=5, weight_ema=0.5, adversarial=SMALL_ADVERSARIAL)
    trainer = Trainer(changed, resume=True, progress=False)
    stored = load_file(Path(changed.out) / "resume.safetensors")
    for module in (trainer.model, trainer.best):
        assert all(torch.equal(stored[f"model/{name}"], tensor) for name, tensor in module.state_dict().items())
    assert trainer.best is not trainer.model
    trainer.run()
    assert sorted(logged(changed.out, 1)) == [4, 5]
    assert "train/discriminator" in logged(changed.out, 1)[5]


def test_states_that_do_not_fit_are_refused(tmp_path):
    config = toy_config(tmp_path, steps=1)
    Trainer(config, progress=False).run()
    other = toy_config(tmp_path, model=spectral_config().model_copy(update={"latent_dim": 6}))
    with pytest.raises(ModelError, match=r"resume\.safetensors: was written by a run with another model"):
        Trainer(other, resume=True, progress=False)
    state = Path(config.out) / "resume.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"resume\.safetensors: cannot be resumed from .* delete it to start anew"):
        Trainer(config, resume=True, progress=False)
    save_file({"model/x": torch.zeros(1)}, state)
    with pytest.raises(ModelError, match="cannot be resumed from"):
        Trainer(config, resume=True, progress=False)


def test_a_folder_with_a_run_is_not_written_into(tmp_path, capsys):
    config = toy_config(tmp_path, steps=1)
    Path(config.out).mkdir()  # an empty one is no run
    path = written(config, tmp_path)
    assert main([path, "--resume"]) == 0
    assert "resume.safetensors: no such file, so there is nothing to resume: starting anew" in capsys.readouterr().err
    before = sorted(Path(config.out).rglob("*"))
    assert main([path]) == 1
    assert error_of(capsys) == f"{config.out}: holds a run already; add --resume to go on with it, or set another `out`"
    assert sorted(Path(config.out).rglob("*")) == before
    (tmp_path / "file").touch()
    assert main([path, "--set", f"out={tmp_path / 'file'}"]) == 1
    assert "is a file, not a folder" in error_of(capsys)


# ----------------------------------------------------------------------------------------------------- ways to fail


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, capsys):
    config = toy_config(tmp_path, learning_rate=1e30, warmup_steps=0, save_every_minutes=ALWAYS)
    assert main([written(config, tmp_path)]) == 1
    message = error_of(capsys)
    assert "the loss became nan" in message
    assert "at step 1: lower learning_rate or clip_norm; the last state is kept in" in message
    assert numbers(config.out)["step"] == 1


def no_room(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_keeps_the_last_state(tmp_path, capsys, monkeypatch):
    config = toy_config(tmp_path, save_every_minutes=ALWAYS)
    replace, saves = os.replace, []

    def fill(source: str, target: str) -> None:
        if target.endswith("resume.safetensors"):
            saves.append(target)
            if len(saves) == 3:
                no_room()
        replace(source, target)

    monkeypatch.setattr(os, "replace", fill)
    assert main([written(config, tmp_path)]) == 1
    assert error_of(capsys).endswith("resume.safetensors: the disk is full; free some space or write elsewhere")
    assert numbers(config.out)["step"] == 2
    assert not list(Path(config.out).glob(".vqaudio-*"))


def test_a_disk_too_full_for_logs_is_said_in_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(CSVLogger, "save", no_room)
    config = toy_config(tmp_path)
    assert main([written(config, tmp_path)]) == 1
    message = error_of(capsys)
    assert message.startswith(f"{config.out}: No space left on device")


def test_a_run_by_time_ends_on_time_and_anneals(tmp_path):
    config = toy_config(tmp_path, steps=1, warmup_steps=0)
    trainer = Trainer(config, minutes=1.0 / 60.0, progress=False)
    trainer.run()
    assert trainer.step > 1
    assert 1.0 <= trainer.elapsed < 10.0
    assert trainer.fraction == 1.0
    rates = [row["train/learning_rate"] for row in logged(config.out).values()]
    assert rates[0] == pytest.approx(1e-3, rel=1e-3)
    assert rates == sorted(rates, reverse=True)
    resumed = Trainer(config, minutes=20.0 / 60.0, resume=True, progress=False)
    assert resumed.fraction == pytest.approx(trainer.elapsed / 20.0)


# ------------------------------------------------------------------------------------------------------- precision


def test_bfloat16_keeps_weights_and_codebooks_in_float32(tmp_path):
    trainer = Trainer(toy_config(tmp_path, steps=4, precision="bf16-mixed"), progress=False)
    seen = set()
    trainer.model.encoder.layers[-1].register_forward_hook(lambda module, args, made: seen.add(made.dtype))
    trainer.run()
    assert torch.bfloat16 in seen
    assert {tensor.dtype for tensor in trainer.model.state_dict().values()} == {torch.float32}
    rows = logged(trainer.config.out)
    assert all(math.isfinite(value) for row in rows.values() for value in row.values())
