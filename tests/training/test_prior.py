"""The training of priors: what a run leaves behind, how it goes on, and what it is given to learn from."""

from __future__ import annotations

import csv
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stopped_runs import stopped_and_resumed
from tiny_models import tiny_model
from tiny_priors import SIZES, prior_config, row, toy_tokens
from tiny_runs import ALWAYS, logged, written

from vqaudio import tokens
from vqaudio.container import Stream
from vqaudio.errors import ModelError
from vqaudio.intnet.intervals import bits_of
from vqaudio.model import checkpoint
from vqaudio.prior import integer
from vqaudio.prior.context import ContextPrior
from vqaudio.qat.fake_quantize import FakeQuantize
from vqaudio.tokens import Origin
from vqaudio.train import main
from vqaudio.training import prior as prior_training
from vqaudio.training.loop import Trainer
from vqaudio.training.prior import PriorTask, counted_bits
from vqaudio.wavenet import WaveNet, saved

UNIFORM = 4.0  # bits: codebooks of 16


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a codec, and tokens that it made with three codebooks and with one."""
    return toy_tokens(tmp_path_factory.mktemp("toys"))


@pytest.fixture(scope="module")
def finished(toys: Path) -> Trainer:
    """A run of 40 steps, the second half of them on grids."""
    trainer = Trainer(prior_config(toys, toys / "finished", steps=40, valid_every=20), progress=False)
    trainer.run()
    return trainer


def scores(out: str | Path) -> dict[int, dict[str, float]]:
    """A run's validations by step."""
    with (Path(out) / "logs" / "version_0" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    start = "valid/"
    return {
        int(row["step"]): {name.removeprefix(start): float(row[name]) for name in row if name.startswith(start)}
        for row in rows
        if row["valid/valid_3_bits"]
    }


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command printed for its failure."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


# -------------------------------------------------------------------------------------------- what a run leaves behind


def test_bits_fall_below_the_uniform(finished):
    figures = logged(finished.config.out)
    assert sorted(figures) == list(range(1, 41))
    assert figures[40]["train/bits"] < 0.6 * min(UNIFORM, figures[1]["train/bits"])
    assert figures[40]["train/loss"] == pytest.approx(figures[40]["train/bits"] * math.log(2), rel=1e-5)
    found = scores(finished.config.out)
    assert sorted(found) == [20, 40]
    assert found[40]["valid_3_bits"] < found[20]["valid_3_bits"] < UNIFORM
    assert found[40]["valid_3_bits"] == pytest.approx(np.mean([found[40][f"valid_3_bits_{k}"] for k in (1, 2, 3)]))
    assert found[40]["valid_3_bits_per_second"] == pytest.approx(3 * 500 * found[40]["valid_3_bits"])
    assert found[40]["train_3_bits"] < UNIFORM
    assert found[40]["valid_1_bits"] < UNIFORM


def test_a_run_leaves_a_network_and_its_export(finished, toys):
    out = Path(finished.config.out)
    assert {path.name for path in out.glob("*.safetensors")} == {
        f"{name}.safetensors" for name in ("latest", "latest.int8", "model", "model.int8", "resume")
    }
    codec = checkpoint.load(toys / "codec.safetensors")
    found = saved.load(out / "model.safetensors")
    assert found.codec == codec.fingerprint
    assert found.net.config == finished.config.model
    assert (found.training["steps"], found.training["device"]) == (40, "cpu")
    assert found.training["hours_of_recordings"] == round(3 * 2 / 3600, 2)
    assert finished.heard == pytest.approx(40 * 4 * 0.2)
    exported = integer.load(out / "model.int8.safetensors")
    assert (exported.codec, exported.streams, exported.fields) == (
        codec.fingerprint,
        codec.model.bottleneck.streams,
        {},
    )
    assert exported.seconds == 0.2


def test_the_export_costs_what_the_network_was_judged_by(finished):
    """Validation sees the values on their grids already, so that nothing is lost on the way to integers."""
    exported = integer.load(Path(finished.config.out) / "model.int8.safetensors")
    task = finished.task
    assert isinstance(task, PriorTask)
    rows = task.crops.valid[task.crops.n_streams[task.crops.valid] == 3]
    crops = [task.crops.crop(*place, 3) for place in zip(*task.crops.validation(rows), strict=True)]
    known = [np.stack(parts).astype(np.int64) for parts in zip(*crops, strict=True)]
    assert known[0].shape == (10, 100)
    bits = np.mean([bits_of(frequencies).mean() for _, frequencies in exported.intervals(known)])
    assert bits == pytest.approx(scores(finished.config.out)[40]["valid_3_bits"], abs=0.002)


def test_the_command_trains_a_prior(toys, tmp_path, capsys):
    config = prior_config(toys, tmp_path / "run", steps=2)
    assert main([written(config, tmp_path), "--set", "steps=3"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{config.out}/model.safetensors\n"
    line = next(line for line in said.err.replace("\r", "\n").splitlines() if line.startswith("step 3: "))
    for part in ("1 codebooks: ", "; 3 codebooks: ", " bits a code (", "learned from", "order 0", "uniform 4.00"):
        assert part in line
    assert saved.load(Path(config.out) / "model.safetensors").training["steps"] == 3


def of_two_speakers(toys: Path, folder: Path) -> tuple[dict[str, Any], list[tokens.Row]]:
    """Settings of data in which each of two speakers has a code of her own, and its rows."""
    codec = checkpoint.load(toys / "codec.safetensors")
    origin = Origin(codec.fingerprint, codec.model.bottleneck.streams, 500.0)
    rows = [
        row([[5 + 3 * who] * 20] * 3, path=f"{who}{split}", speaker=("ann", "bob")[who], split=split)
        for who in (0, 1)
        for split in ("train", "valid")
    ]
    folder.mkdir()
    tokens.write(folder / "a.parquet", origin, rows)
    return {"folder": str(folder), "crop_seconds": 0.04, "batch_size": 8}, rows


def test_a_prior_learns_who_speaks(toys, tmp_path):
    """Told the speaker, the prior knows what comes from the first code on."""
    data, rows = of_two_speakers(toys, tmp_path / "tokens")
    config = prior_config(toys, tmp_path / "run", data=data, fields=["speaker"], steps=30, learning_rate=0.05)
    Trainer(config, progress=False).run()
    exported = integer.load(tmp_path / "run" / "model.int8.safetensors")
    assert exported.fields == {"speaker": ("ann", "bob")}
    ann = [codes[None, :1].astype(np.int64) for codes in rows[0].codes]
    right, wrong, none = (
        bits_of(exported.intervals(ann, told)[0][1]).item() for told in ("speaker=ann", "speaker=bob", "none")
    )
    assert right < 0.5 < none < wrong


# -------------------------------------------------------------------------------------------------------- the schedule


@pytest.mark.parametrize("last", [3, 9])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(toys, tmp_path, monkeypatch, last):
    """Stopped before its values lie on grids, which is from step 6 on, and after."""
    whole, config = (prior_config(toys, tmp_path / name, save_every_minutes=ALWAYS) for name in ("whole", "run"))
    stopped_and_resumed(whole, config, last, monkeypatch)


def test_values_lie_on_grids_from_their_time_on(toys, tmp_path, monkeypatch):
    seen: list[tuple[bool, bool]] = []
    exponents: list[list[float]] = []
    logits = PriorTask._logits

    def spy(self: PriorTask, *arguments: Any) -> list[torch.Tensor]:
        made = logits(self, *arguments)
        on_grid = all(torch.equal(32 * values, (32 * values).round()) for values in made)
        if self.model.training and torch.is_grad_enabled():
            seen.append((self.model.embed.quantized, on_grid))
            exponents.append([float(part.exponent) for part in self.model.modules() if isinstance(part, FakeQuantize)])
        return made

    monkeypatch.setattr(PriorTask, "_logits", spy)
    Trainer(prior_config(toys, tmp_path / "run", quantize_from=0.25), progress=False).run()
    assert seen == 3 * [(False, False)] + 9 * [(True, True)]
    assert exponents[3] != exponents[2]
    assert exponents[3:] == 9 * [exponents[3]]


def test_a_run_that_never_rounds_has_no_export(toys, tmp_path):
    config = prior_config(toys, tmp_path / "run", steps=2, quantize_from=1.0)
    Trainer(config, progress=False).run()
    assert saved.load(tmp_path / "run" / "model.safetensors").training["steps"] == 2
    assert not list((tmp_path / "run").glob("*.int8.safetensors"))


def test_an_average_is_judged_and_kept_on_grids_too(toys, tmp_path):
    config = prior_config(toys, tmp_path / "run", weight_ema=0.5, steps=30)
    trainer = Trainer(config, progress=False)
    trainer.run()
    assert trainer.best is not trainer.model
    for part, last in zip(trainer.best.modules(), trainer.model.modules(), strict=True):
        if isinstance(part, FakeQuantize):
            assert part.exponent == last.exponent
    task = trainer.task
    assert isinstance(task, PriorTask)
    exported = integer.load(tmp_path / "run" / "model.int8.safetensors")
    rows = task.crops.valid[task.crops.n_streams[task.crops.valid] == 3]
    crops = [task.crops.crop(*place, 3) for place in zip(*task.crops.validation(rows), strict=True)]
    known = [np.stack(parts).astype(np.int64) for parts in zip(*crops, strict=True)]
    bits = np.mean([bits_of(frequencies).mean() for _, frequencies in exported.intervals(known)])
    assert bits == pytest.approx(scores(config.out)[30]["valid_3_bits"], abs=0.002)


def test_a_run_can_start_from_a_prior(finished, toys, tmp_path):
    start = Path(finished.config.out) / "model.safetensors"
    trainer = Trainer(prior_config(toys, tmp_path / "run", init_from=str(start), steps=1), progress=False)
    before = saved.load(start).net.state_dict()
    for name, tensor in trainer.model.named_parameters():
        torch.testing.assert_close(tensor.detach(), before[name])
    assert not any(
        part.peak for part in trainer.model.modules() if isinstance(part, FakeQuantize)
    )  # grids are found anew
    sizes = SIZES | {"channels": 8}
    with pytest.raises(
        ModelError, match=r"init_from: .*model\.safetensors does not fit this run's prior .*size mismatch"
    ):
        Trainer(prior_config(toys, tmp_path / "run", init_from=str(start), model=sizes), progress=False)


def test_a_run_can_start_from_a_prior_of_fewer_codebooks(finished, toys, tmp_path):
    """What there is for the third codebook starts as it was for the second, with the codec's own embeddings."""
    whole = finished.model
    assert isinstance(whole, WaveNet)
    fewer = WaveNet(whole.config, whole.streams[:2], whole.fields)
    theirs = whole.state_dict()
    ours = {name: theirs[name][: len(own)] if own.ndim else own for name, own in fewer.state_dict().items()}
    fewer.load_state_dict(ours)
    saved.save(fewer, tmp_path / "fewer.safetensors", codec="0" * 12)
    run = prior_config(toys, tmp_path / "run", init_from=str(tmp_path / "fewer.safetensors"), steps=1)
    fresh = Trainer(prior_config(toys, tmp_path / "fresh", steps=1), progress=False).model.state_dict()
    found = Trainer(run, progress=False).model.state_dict()
    close = partial(torch.testing.assert_close, rtol=1e-3, atol=1e-3)  # float16 in between
    for name in ours:
        if name != "active_streams.weight" and ours[name].ndim:
            close(found[name], ours[name])
    close(found["heads.2.context.weight"], found["heads.1.context.weight"])
    close(found["active_streams.weight"][2], found["active_streams.weight"][1])
    close(found["embeddings.2"], fresh["embeddings.2"])


def test_a_run_can_start_from_a_prior_of_other_labels(toys, tmp_path):
    """Those that both know are kept, by their names; and so is what stands for none."""
    data, _ = of_two_speakers(toys, tmp_path / "tokens")
    settings: dict[str, Any] = {"data": data, "fields": ["speaker"], "steps": 1}
    fresh = Trainer(prior_config(toys, tmp_path / "fresh", **settings), progress=False).model
    assert isinstance(fresh, WaveNet)
    assert fresh.fields == {"speaker": ("ann", "bob")}
    start = WaveNet(fresh.config, fresh.streams, {"speaker": ("zoe", "bob")})
    saved.save(start, tmp_path / "other.safetensors", codec="0" * 12)
    settings["init_from"] = str(tmp_path / "other.safetensors")
    run = Trainer(prior_config(toys, tmp_path / "run", **settings), progress=False)
    none, ann, bob = run.model.state_dict()["labels.0.weight"]
    theirs, own = start.state_dict()["labels.0.weight"], fresh.state_dict()["labels.0.weight"]
    close = partial(torch.testing.assert_close, rtol=1e-3, atol=1e-3)  # float16 in between
    close(none, theirs[0])
    close(ann, own[1])
    close(bob, theirs[2])


def test_a_run_can_start_from_the_prior_of_a_shipped_model(monkeypatch, tmp_path):
    (tmp_path / "mine.safetensors").touch()
    monkeypatch.setattr(prior_training, "PRIORS", tmp_path)
    assert prior_training.network_of("mine") == tmp_path / "mine.safetensors"
    assert prior_training.network_of("runs/mine.safetensors") == Path("runs/mine.safetensors")


def test_tokens_of_another_codec_are_refused(toys, tmp_path, capsys):
    checkpoint.save(tiny_model(seed=1), tmp_path / "other.safetensors")
    config = prior_config(toys, tmp_path / "run", codec=str(tmp_path / "other.safetensors"))
    assert main([written(config, tmp_path)]) == 1
    ours, theirs = (checkpoint.load(path).fingerprint for path in (toys / "codec.safetensors", config.codec))
    message = error_of(capsys)
    assert f"holds tokens of the codec {ours}, expected {theirs}: set `codec` to the one that wrote them" in message
    assert not (tmp_path / "run").exists()


# ----------------------------------------------------------------------------------------------------------- baselines


def test_counts_of_order_0_by_hand():
    """Codes 0, 0, 0, 1 learned: weights of 1.5 and 0.5 times the average, in parts of 1024, and one for the unseen."""
    prior = ContextPrior((Stream(2),), 0)
    prior.learn([[np.array([0, 0, 0, 1])]])
    likely, unlikely = (-math.log2(weight / (1537 + 513)) for weight in (1537, 513))
    found = counted_bits(prior, [[np.array([0, 0, 1], np.int32)], [np.array([1], np.int32)]])
    assert found == pytest.approx([(2 * likely + 2 * unlikely) / 4], abs=1e-5)


def test_counts_of_order_1_know_what_follows():
    prior = ContextPrior((Stream(2), Stream(4)), 1)
    learned = np.arange(1000) % 2
    prior.learn([[learned], [np.zeros(1000, np.int64)]])
    crops = [[np.array([0, 1] * 50, np.int32), np.zeros(100, np.int32)]]
    alternating, constant = counted_bits(prior, crops)
    assert alternating < 0.15
    assert constant < 0.15
    assert counted_bits(prior, [[np.array([0, 0] * 50, np.int32), np.zeros(100, np.int32)]])[0] > 3


def test_baselines_are_reported_beside_the_prior(finished):
    """Order 0 by the entropy of the codes themselves, which the learned counts come near to."""
    found = scores(finished.config.out)[40]
    task = finished.task
    assert isinstance(task, PriorTask)
    crops = task.crops
    learned, heard = (
        np.bincount(
            np.concatenate([crops.tokens.codes(row)[0] for row in rows if crops.n_streams[row] == 1]), minlength=16
        )
        for rows in (crops.train, crops.valid)
    )
    expected = -np.sum(heard / heard.sum() * np.log2((learned + learned.sum() / 16 / 1024) / learned.sum()))
    assert found["valid_1_order_0_bits"] == pytest.approx(expected, abs=0.05)
    assert found["valid_3_order_1_bits"] <= found["valid_3_order_0_bits"] + 0.05 < UNIFORM


# ----------------------------------------------------------------------------------------------------- ways to fail


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["codec=null"], "codec: Input should be a valid string"),
        (["codec=nowhere.safetensors"], "nowhere.safetensors: no such model"),
        (["kind=codec"], "codec: unknown key, remove it or correct its name"),
        (["model.channels=257"], "model.channels: "),
        (["model.chanels=8"], "model.chanels: unknown key, remove it or correct its name"),
        (["model.dilations=[]"], "model.dilations: "),
        (["data={}"], "data.folder: Field required"),
        (["fields=[name]"], "fields.0: "),
        (["quantize_from=1.5"], "quantize_from: "),
        (["data.folder=nowhere"], "nowhere: holds no tokens; write them with python -m vqaudio.tokenize"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_configs_that_make_no_sense_give_one_line(toys, tmp_path, capsys, overrides, message):
    path = written(prior_config(toys, tmp_path / "run"), tmp_path)
    assert main([path, *(part for override in overrides for part in ("--set", override))]) == 1
    assert message in error_of(capsys)
    assert not (tmp_path / "run").exists()


def test_a_prior_without_a_codec_is_told_so(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(f"kind: prior\nout: {tmp_path / 'run'}\ndata: {{folder: tokens}}\n")
    assert main([str(tmp_path / "config.yaml")]) == 1
    assert error_of(capsys).startswith(f"{tmp_path / 'config.yaml'}: codec: Field required")
