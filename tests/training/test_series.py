"""The training of models of time series: what a run leaves behind, how it goes on, and what codes a table then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learned_reference import Network
from safetensors.numpy import load_file
from stopped_runs import stopped_and_resumed
from tiny_runs import ALWAYS, logged, written

from vqaudio.compress import main as compress
from vqaudio.config.series import SeriesTrainConfig
from vqaudio.errors import ModelError
from vqaudio.series import StoredTable
from vqaudio.series.coding import model
from vqaudio.train import main
from vqaudio.training import series_network
from vqaudio.training.loop import Trainer
from vqaudio.training.series import SeriesTask


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wave with noise on each eighth row, and another column that goes with it."""
    random, time = np.random.default_rng(0), np.arange(2600)
    wave = np.sin(np.pi * time / 4) + (time % 8 == 0) * 0.3 * random.standard_normal(2600)
    path = tmp_path_factory.mktemp("tables") / "waves.npy"
    np.save(path, np.stack([wave, 2 * wave + (time % 8 == 4) * 0.3 * random.standard_normal(2600)], 1))
    return path


def series_config(table: Path, out: Path, **changes: Any) -> SeriesTrainConfig:
    values: dict[str, Any] = {
        "kind": "series",
        "model": {"hidden": 16},
        "data": {"tables": [str(table)], "values": 5000, "valid_values": 1000, "batch_size": 64},
        "out": str(out),
        "steps": 12,
        "learning_rate": 0.01,
        "warmup_steps": 2,
        "quantize_from": 0.5,
        "log_every": 1,
        "accelerator": "cpu",
    }
    return SeriesTrainConfig.model_validate(values | changes)


@pytest.fixture(scope="module")
def finished(table: Path) -> Trainer:
    """A run of 200 steps, the last 80 of them on grids."""
    trainer = Trainer(series_config(table, table.parent / "run", steps=200, quantize_from=0.6), progress=False)
    trainer.run()
    return trainer


def test_a_run_learns_and_leaves_a_network_and_its_export(finished: Trainer):
    out = Path(finished.config.out)
    figures = logged(out)
    assert figures[200]["train/bits"] < 0.7 * figures[1]["train/bits"] < 0.7 * 6.5
    assert {path.name for path in out.glob("*.safetensors")} == {
        f"{name}.safetensors" for name in ("latest", "latest.int8", "model", "model.int8", "resume")
    }
    exported = Network(load_file(out / "model.int8.safetensors"))
    task = finished.task
    assert isinstance(task, SeriesTask)
    (held_out,) = task.valid.values()
    frequencies = exported.frequencies(held_out.features.astype(np.float32))
    bits = 20 - np.log2(np.take_along_axis(frequencies, held_out.tokens[:, None], 1))
    scores = task.validate(finished.best, finished.fabric, step=200)
    assert bits.mean() == pytest.approx(scores["valid_bits"], abs=0.01)  # nothing is lost on the way to integers
    assert scores["valid_bits"] == scores["valid_waves.npy_bits"]
    assert task.summary(scores).startswith(f"{scores['valid_bits']:.3f} bits a token (waves.npy ")
    assert task.record(finished.heard) == {"values_seen": 200 * 64, "values": len(task.train)}


def test_its_export_codes_tables(finished: Trainer, table: Path, tmp_path: Path):
    path = Path(finished.config.out) / "model.int8.safetensors"
    assert compress([str(table), str(tmp_path / "x.vq"), "--max-error", "1%", "--model", str(path), "--quiet"]) == 0
    data = (tmp_path / "x.vq").read_bytes()
    assert StoredTable(data, model=model.load(path)).model == model.load(path).fingerprint
    assert compress([str(table), str(tmp_path / "y.vq"), "--max-error", "1%", "--model", "none", "--quiet"]) == 0
    assert len(data) < len((tmp_path / "y.vq").read_bytes())


@pytest.mark.parametrize("last", [3, 9])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(table, tmp_path, monkeypatch, last):
    """Stopped before its values lie on grids, which is from step 6 on, and after."""
    whole, config = (series_config(table, tmp_path / name, save_every_minutes=ALWAYS) for name in ("whole", "run"))
    stopped_and_resumed(whole, config, last, monkeypatch)


def test_values_lie_on_grids_from_their_time_on(table, tmp_path, monkeypatch):
    seen = []
    batch = SeriesTask.batch

    def spy(self: SeriesTask, *arguments: Any, **named: Any) -> Any:
        logits = 32 * self.model(torch.from_numpy(self.train.features[:50]).float())
        seen.append((self.model.logits.quantized, torch.equal(logits, logits.round())))
        return batch(self, *arguments, **named)

    monkeypatch.setattr(SeriesTask, "batch", spy)
    Trainer(series_config(table, tmp_path / "run", quantize_from=0.25), progress=False).run()
    assert seen == 3 * [(False, False)] + 9 * [(True, True)]


def test_a_run_that_never_rounds_has_no_export(table, tmp_path):
    Trainer(series_config(table, tmp_path / "run", steps=2, quantize_from=1.0), progress=False).run()
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert not list((tmp_path / "run").glob("*.int8.safetensors"))


def test_a_run_can_start_from_a_network(finished, table, tmp_path):
    start = Path(finished.config.out) / "model.safetensors"
    trainer = Trainer(series_config(table, tmp_path / "run", init_from=str(start), steps=1), progress=False)
    expected = series_network.load(start)
    for name, values in trainer.model.named_parameters():
        assert torch.equal(values, dict(expected.named_parameters())[name])
    assert not bool(trainer.model.first_quantizer.peak)  # grids are found anew
    config = series_config(table, tmp_path / "other", init_from=str(start), model={"hidden": 8})
    with pytest.raises(ModelError, match="has hidden layers of 16, expected 8: set model"):
        Trainer(config, progress=False)


def test_the_command_trains_on_a_table_of_ones_own(table, tmp_path, capsys):
    config = series_config(Path("not.csv"), tmp_path / "run", steps=2)
    path = written(config, tmp_path)
    assert main([path]) == 1
    assert "not.csv" in capsys.readouterr().err
    assert main([path, "--data", str(table), "--set", "steps=3", "--resume"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{config.out}/model.safetensors\n"
    line = next(line for line in said.err.replace("\r", "\n").splitlines() if line.startswith("step 3: "))
    assert "bits a token (waves.npy " in line
    assert series_network.load(tmp_path / "run" / "model.safetensors").hidden == 16
