"""Whole training runs, tiny ones: what they leave behind, how they stop, and how they go on."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric.loggers.csv_logs import CSVLogger
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_models import RATE, sound, spectral_config, tiny_model
from tiny_runs import ALWAYS, SMALL_ADVERSARIAL, logged, numbers, run_python, toy_config, written
from torch import nn

import vqaudio
from vqaudio.config.bottleneck import VQConfig
from vqaudio.config.training import TrainConfig
from vqaudio.errors import AudioError, ModelError
from vqaudio.model import checkpoint
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.train import main
from vqaudio.training.interruption import Interruption
from vqaudio.training.loop import Trainer
from vqaudio.training.optimization import Average, learning_rate, make_optimizer, set_rate
from vqaudio.training.state import load_state, save_state
from vqaudio.training.validation import code_usage, si_sdr


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command printed for its failure."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


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
from vqaudio.config.reading import load_yaml, parse
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


@pytest.mark.parametrize("kills", [(10,), pytest.param((4, 9), marks=pytest.mark.slow)], ids=str)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, kills):
    """With discriminators (from step 6 on), a weight average, and codebooks that slow down in the last half."""
    changes = {"steps": 14, "weight_ema": 0.9, "adversarial": SMALL_ADVERSARIAL, "save_every_minutes": ALWAYS}
    whole = toy_config(tmp_path, out=str(tmp_path / "whole"), **changes)
    Trainer(whole, progress=False).run()
    expected = logged(whole.out)

    config = toy_config(tmp_path, **changes)
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


def test_missing_recordings_are_noticed_before_anything_is_written(tmp_path, capsys):
    path = written(toy_config(tmp_path), tmp_path)
    assert main([path, "--set", f"data.folder={tmp_path / 'absent'}"]) == 1
    assert "absent: no such folder; set data.folder" in error_of(capsys)
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_is_noticed_before_torch_is_imported(tmp_path):
    path = written(toy_config(tmp_path), tmp_path)
    code = "import sys; from vqaudio.train import main; status = main(sys.argv[1:]); print('torch' in sys.modules)"
    done = run_python("-c", code, path, "--data", str(tmp_path / "absent"))
    assert done.stdout == "False\n"
    assert done.stderr.startswith(f"error: {tmp_path / 'absent'}: no such folder; ")


def test_a_config_with_weights_learns_from_anybodys_folder(tmp_path, capsys):
    config = toy_config(tmp_path, steps=1)
    weighted = config.model_copy(update={"data": config.data.model_copy(update={"weights": {"theirs": 1.0}})})
    path = written(weighted, tmp_path)
    mine = tmp_path / "it's: mine"
    Path(config.data.folder).rename(mine)
    assert main([path, "--data", str(mine), "--set", "data.weights={theirs: 1}"]) == 1
    assert "data.weights names theirs" in error_of(capsys)
    assert main([path, "--data", str(mine), "--device", "cpu", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    stored = json.loads(Path(config.out, "config.json").read_text())["data"]
    assert (stored["folder"], stored["weights"]) == (str(mine), {})


def test_a_terminal_gets_a_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    config = toy_config(tmp_path, steps=2)
    assert main([written(config, tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{config.out}/model.safetensors\n"
    bars = [line for line in re.split("[\r\n]", said.err) if "training:" in line]
    assert all(name in bars[-1] for name in ("2/2", "loss=", "mel=", "complex=", " s/s"))


def test_what_this_machine_lacks_is_said_in_a_line(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has what the test wants it to lack")
    assert main([written(toy_config(tmp_path, accelerator="cuda"), tmp_path)]) == 1
    assert error_of(capsys).startswith("cannot train with accelerator 'cuda', devices 1")


def test_unknown_keys_are_named_before_torch_is_imported(tmp_path):
    path = written(toy_config(tmp_path), tmp_path)
    code = (
        "import sys; from vqaudio.train import main; "
        "status = main(sys.argv[1:]); print('torch' in sys.modules or 'lightning' in sys.modules); sys.exit(status)"
    )
    done = run_python("-c", code, path, "--set", "model.encoder.chanels=3")
    assert (done.returncode, done.stdout) == (1, "False\n")
    assert done.stderr == f"error: {path}: model.encoder.chanels: unknown key, remove it or correct its name\n"


def test_the_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    assert main([written(toy_config(tmp_path), tmp_path)]) == 1
    assert error_of(capsys) == "train needs lightning: pip install 'vqaudio[train]'"


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_minutes_must_be_a_length(tmp_path, capsys, minutes):
    assert main([written(toy_config(tmp_path), tmp_path), f"--minutes={minutes}"]) == 1
    assert "expected a number above 0" in error_of(capsys)


# -------------------------------------------------------------------------------------------------- ways to stop


@pytest.fixture
def interactive() -> Iterator[None]:
    """Ctrl-C as in a terminal; a background job, as the tests may be, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interactive")
def test_ctrl_c_finishes_the_step_and_saves(tmp_path, capsys, monkeypatch):
    step = Trainer._train_step

    def interrupted(self: Trainer) -> Any:
        if self.step == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self)

    monkeypatch.setattr(Trainer, "_train_step", interrupted)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    config = toy_config(tmp_path)
    assert main([written(config, tmp_path)]) == 130
    said = capsys.readouterr().err
    assert "stopped after step 4; the last state is kept in" in said
    assert "--resume" in said
    assert numbers(config.out)["step"] == 4
    assert sorted(logged(config.out)) == [1, 2, 3, 4]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


@pytest.mark.usefixtures("interactive")
def test_a_second_ctrl_c_acts_at_once(tmp_path, monkeypatch):
    def impatient(self: Trainer) -> Any:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_train_step", impatient)
    config = toy_config(tmp_path)
    assert main([written(config, tmp_path)]) == 130
    assert not (Path(config.out) / "resume.safetensors").exists()


def test_an_ignored_ctrl_c_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
        assert not interruption.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


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


# ------------------------------------------------------------------------------------------- where a run starts from


def test_a_run_can_start_from_a_model(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    embeddings = load_file(start)["bottleneck.codebooks.0.entries"].float()
    trainer = Trainer(toy_config(tmp_path, init_from=str(start), steps=1, quantize_after=0), progress=False)
    codebook = next(module for module in trainer.model.modules() if isinstance(module, Codebook))
    torch.testing.assert_close(codebook.embedding, embeddings)
    trainer.run()
    moved = (codebook.embedding - embeddings).norm(dim=1) / embeddings.norm(dim=1)
    assert moved.max() > 0  # it learns
    assert moved.median() < 0.5  # and goes on from where it was: codes that nobody chose stay, or are re-seeded


def with_bottleneck(config: TrainConfig, **changes: Any) -> TrainConfig:
    bottleneck = config.model.bottleneck.model_copy(update=changes)
    return config.model_copy(update={"model": config.model.model_copy(update={"bottleneck": bottleneck})})


def test_a_run_may_learn_otherwise_than_the_model_it_starts_from(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=1, quantize_after=0)
    trainer = Trainer(with_bottleneck(config, dropout=0.125, commitment=3.0), progress=False)
    assert (trainer.model.bottleneck.dropout, trainer.model.bottleneck.commitment) == (0.125, 3.0)
    with pytest.raises(ModelError, match=r"start\.safetensors does not fit this run's model .*size mismatch"):
        Trainer(with_bottleneck(config, codebook_size=7), progress=False)


def test_codebooks_can_be_added(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=4, quantize_after=0)
    trainer = Trainer(with_bottleneck(config, n_codebooks=5), progress=False)
    embeddings = [book.embedding.clone() for book in trainer.model.bottleneck.codebooks]
    old = tiny_model(seed=3).bottleneck.codebooks
    for mine, theirs in zip(embeddings, old, strict=False):
        torch.testing.assert_close(mine, theirs.embedding, rtol=1e-3, atol=1e-3)  # stored as float16
    trainer.run()
    for book, before in zip(trainer.model.bottleneck.codebooks, embeddings, strict=True):
        assert (book.embedding != before).any()
    fewer = with_bottleneck(config.model_copy(update={"out": str(tmp_path / "fewer")}), n_codebooks=2)
    with pytest.raises(ModelError, match="does not fit"):
        Trainer(fewer, progress=False)


def test_a_new_encoder_for_the_same_codes(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=3, quantize_after=0, frozen=["bottleneck", "decoder"])
    made = checkpoint.load(Trainer(with_bottleneck(config, search=12), progress=False).run())
    before = checkpoint.load(start)
    moved = {
        name.partition(".")[0]
        for name, tensor in made.model.state_dict().items()
        if not torch.equal(tensor, before.model.state_dict()[name])
    }
    assert moved == {"encoder"}
    assert (made.fingerprint, made.silence) == (before.fingerprint, before.silence)
    data = vqaudio.load(start).compress(sound(4000), RATE)
    found, expected = (vqaudio.load(path).decompress(data)[0] for path in (config.out + "/model.safetensors", start))
    assert np.array_equal(found, expected)


def test_a_decoder_that_learns_alone_plays_the_files_of_the_one_before(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=2, quantize_after=0, frozen=["bottleneck"])
    made = checkpoint.load(Trainer(config, progress=False).run())
    assert made.fingerprint == checkpoint.load(start).fingerprint
    for name, tensor in checkpoint.load(start).model.bottleneck.state_dict().items():
        assert torch.equal(made.model.bottleneck.state_dict()[name], tensor)


def test_another_kind_of_bottleneck_starts_from_data(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=1, quantize_after=0)
    model = config.model.model_copy(update={"bottleneck": VQConfig(codebook_size=7)})
    trainer = Trainer(config.model_copy(update={"model": model}), progress=False)
    encoder = tiny_model(seed=3).encoder.state_dict()
    for name, tensor in trainer.model.encoder.state_dict().items():
        torch.testing.assert_close(tensor, encoder[name], rtol=1e-3, atol=1e-3)  # stored as float16
    trainer.run()
    assert len(trainer.model.bottleneck.streams) == 1


# ------------------------------------------------------------------------------------------------------------- voices


def with_speakers(folder: Path, corpora: str = "toys") -> TrainConfig:
    """Toy recordings with names: ann and bob in training, cat in validation, one nameless."""
    config = toy_config(folder, speaker_corpora=[corpora], steps=4)
    rows = [("0.wav", "toys", "train", "bob"), ("1.wav", "toys", "train", "ann"), ("2.wav", "other", "train", "")]
    rows.append(("3.wav", "toys", "valid", "cat"))
    lines = [",".join(row) for row in [("path", "corpus", "split", "speaker"), *rows]]
    (folder / "sounds" / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return config


def test_a_decoder_learns_the_voices_in_training(tmp_path):
    trainer = Trainer(with_speakers(tmp_path), progress=False)
    trainer.run()
    codec = vqaudio.load(tmp_path / "run" / "model.safetensors")
    assert codec.speakers == ("ann", "bob")
    codes = codec.encode(sound(RATE), RATE)
    ann, bob, nobody = (codec.decode(codes, name) for name in ("ann", "bob", ""))
    assert not np.array_equal(ann, bob)
    assert not np.array_equal(ann, nobody)
    np.testing.assert_array_equal(codec.convert(sound(RATE), RATE, speaker="ann"), ann)


def test_a_model_without_voices_can_learn_some(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = with_speakers(tmp_path).model_copy(update={"init_from": str(start)})
    trainer = Trainer(config, progress=False)
    assert trainer.model.decoder.speaker_embedding.weight.shape == (3, 64)


def test_corpora_without_names_are_refused(tmp_path):
    with pytest.raises(AudioError, match=r"speaker_corpora names other, but .* has no training speaker with a name"):
        Trainer(with_speakers(tmp_path, "other"), progress=False)


# -------------------------------------------------------------------------------------------------------- small parts


def test_the_learning_rate_warms_up_and_falls_as_a_cosine():
    config = TrainConfig(learning_rate=1.0, final_learning_rate=0.1, warmup_steps=4)
    assert [learning_rate(config, step, 0.0) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert [learning_rate(config, 100, part) for part in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.55, 0.1])


@pytest.mark.parametrize("kind", ["adamw", "soap", "muon"])
def test_only_matrices_decay(kind):
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    decay, keep = make_optimizer(model, TrainConfig(optimizer=kind, weight_decay=0.5)).param_groups
    assert [id(p) for p in decay["params"]] == [id(model[0].weight)]
    assert decay["weight_decay"] == 0.5
    assert {id(p) for p in keep["params"]} == {id(model[0].bias), id(model[1].weight), id(model[1].bias)}
    assert keep["weight_decay"] == 0


def test_muon_turns_a_matrix_by_an_orthogonal_step_and_leaves_the_rest_to_adam():
    """A first step of Adam is the rate; Muon's has singular values near 1, times 0.2 sqrt(16) of the rate."""
    layer = nn.Linear(16, 16)
    optimizer = make_optimizer(layer, TrainConfig(optimizer="muon", weight_decay=0.0))
    set_rate(optimizer, 0.01)
    before = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    layer(torch.randn(32, 16)).square().mean().backward()
    optimizer.step()
    moved = {name: (parameter - before[name]).detach() for name, parameter in layer.named_parameters()}
    torch.testing.assert_close(moved["bias"].abs(), torch.full((16,), 0.01), rtol=1e-3, atol=0)
    sizes = torch.linalg.svdvals(moved["weight"]) / (0.01 * 0.2 * 16**0.5)
    assert 0.5 < sizes.median() < 1.3
    assert sizes.max() < 1.3
    set_rate(optimizer, 0.0)
    kept = layer.weight.detach().clone()
    optimizer.step()
    assert torch.equal(layer.weight, kept)


def test_soap_goes_straight_down_a_narrow_valley_askew():
    """Adam cannot tell a valley's direction from the axes of its weights; a rotation to the gradients' own axes can."""
    turn = torch.linalg.qr(torch.randn(16, 16))[0]
    stretched = turn @ torch.diag(torch.logspace(0, -3, 16)) @ turn.T
    start, goal = torch.randn(16, 24), torch.randn(16, 24)

    def left_over(kind):
        layer = nn.Linear(24, 16, bias=False)
        layer.weight.data.copy_(start)
        optimizer = make_optimizer(layer, TrainConfig(optimizer=kind, betas=(0.9, 0.95), weight_decay=0.0))
        for step in range(300):
            set_rate(optimizer, 0.05 * (1 - step / 300))
            optimizer.zero_grad()
            (stretched @ (layer.weight - goal)).square().sum().backward()
            optimizer.step()
        return float((layer.weight.detach() - goal).norm() / goal.norm())

    assert left_over("soap") < 0.5 * left_over("adamw")


@pytest.mark.parametrize("kind", ["adamw", "soap", "muon"])
def test_an_optimizer_goes_on_from_its_saved_state(tmp_path, kind):
    def made():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv1d(4, 8, 3), nn.Conv1d(8, 8, 3, groups=8), nn.Linear(36, 600))
        return model, make_optimizer(model, TrainConfig(optimizer=kind))

    def learn(model, optimizer, steps):
        for step in steps:
            torch.manual_seed(step)
            optimizer.zero_grad()
            model(torch.randn(2, 4, 40)).square().mean().backward()
            optimizer.step()

    model, optimizer = made()
    learn(model, optimizer, range(23))
    save_state(tmp_path / "state", {"model": model}, {"optimizer": optimizer}, {"step": 23})
    learn(model, optimizer, range(23, 45))
    resumed, fresh = made()
    assert load_state(tmp_path / "state", {"model": resumed}, {"optimizer": fresh})[0] == {"step": 23}
    learn(resumed, fresh, range(23, 45))
    for one, other in zip(model.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    another = {"adamw": "soap", "soap": "muon", "muon": "adamw"}[kind]
    other_kind = make_optimizer(resumed, TrainConfig(optimizer=another))
    with pytest.raises(ModelError, match="was written by a run with another optimizer"):
        load_state(tmp_path / "state", {"model": resumed}, {"optimizer": other_kind})


def test_the_average_follows_weights_and_buffers():
    model = nn.BatchNorm1d(2)
    average = Average(model, 0.75)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    with torch.no_grad():
        model.weight.add_(4.0)
        model.running_mean.add_(8.0)
        model.num_batches_tracked.add_(3)
    average.update(model)
    assert average.model.weight.tolist() == [2.0, 2.0]
    assert average.model.running_mean.tolist() == [2.0, 2.0]
    assert average.model.num_batches_tracked == 3


def test_the_average_is_what_is_kept(tmp_path):
    trainer = Trainer(toy_config(tmp_path, steps=2, weight_ema=0.9), progress=False)
    path = trainer.run()
    kept = load_file(path)
    average, last = (
        {checkpoint.stored_name(name): tensor for name, tensor in model.state_dict().items()}
        for model in (trainer.best, trainer.model)
    )
    assert all(torch.equal(tensor, average[name].half()) for name, tensor in kept.items())
    assert any(not torch.equal(tensor, last[name].half()) for name, tensor in kept.items())


def test_code_usage_by_hand():
    codes = torch.tensor([0, 0, 1, 1])
    assert code_usage(codes, 8, "_1") == {"perplexity_1": pytest.approx(2.0), "used_1": 0.25}
    assert code_usage(torch.arange(8), 8) == {"perplexity": pytest.approx(8.0), "used": 1.0}


def test_si_sdr_by_hand():
    target = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    noise = torch.tensor([[0.1, -0.1, 0.1, -0.1]])  # at right angles to it, 20 dB below
    assert si_sdr(3.0 * (target + noise), target).item() == pytest.approx(20.0, abs=1e-3)
