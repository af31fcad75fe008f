"""Every kind of bottleneck trains by the same command, and what a score needs is handed through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from tiny_models import RATE
from tiny_runs import logged, toy_config
from tools import synthetic

from vqaudio import load
from vqaudio.config.training import TrainConfig
from vqaudio.training.codec import CodecTask
from vqaudio.training.loop import Trainer
from vqaudio.training.processes import may_leave_parameters_unused

KINDS: dict[str, dict[str, Any]] = {
    "gaussian": {"kind": "gaussian"},
    "gaussian, score": {"kind": "gaussian", "estimator": "score"},
    "fsq": {"kind": "fsq", "levels": [5, 4, 3]},
    "vq, gumbel": {"kind": "vq", "codebook_size": 16, "gradient": "gumbel"},
    "grouped": {"kind": "grouped", "codebook_size": 16, "groups": 4},
    "hierarchical": {"kind": "hierarchical", "codebook_size": 16},
}


def with_bottleneck(folder: Path, settings: dict[str, Any], **changes: Any) -> TrainConfig:
    config = toy_config(folder, **changes)
    model = config.model.model_dump() | {"bottleneck": settings}
    return TrainConfig.model_validate(config.model_dump() | {"model": model})


@pytest.mark.parametrize("kind", KINDS)
def test_each_trains_and_can_be_used(tmp_path: Path, kind: str) -> None:
    """Crops of 125 frames: an odd number, of which the last stands alone in a code of two."""
    path = Trainer(with_bottleneck(tmp_path, KINDS[kind], steps=5), progress=False).run()
    figures = logged(tmp_path / "run")
    assert all(np.isfinite(value) for row in figures.values() for value in row.values())
    if kind.startswith("gaussian"):
        assert {"train/kl", "train/active_units"} <= set(figures[5])
    codec = load(path)
    wav = synthetic(0.2, RATE)
    if codec.streams:
        again, rate = codec.decompress(codec.compress(wav, RATE))
        assert (again.shape, rate) == (wav.shape, RATE)


def task_of(folder: Path, estimator: str) -> CodecTask:
    settings = {"kind": "gaussian", "estimator": estimator, "beta": 0.0}
    return CodecTask(with_bottleneck(folder, settings, quantize_after=0), progress=False)


def test_each_item_has_its_own_cost(tmp_path: Path) -> None:
    task = task_of(tmp_path, "score")
    crops = task.train_crops.batch(0)
    made = task.model.eval()(crops.source).waveform
    costs = task.loss.each(made, crops.target)
    assert costs.shape == (2,)
    assert costs[0] != costs[1]
    assert float(costs.mean()) == pytest.approx(float(task.loss(made, crops.target)[0].detach()), rel=1e-5)


@pytest.mark.parametrize("estimator", ["pathwise", "score"])
def test_the_encoder_learns_from_what_its_draws_lead_to(tmp_path: Path, estimator: str) -> None:
    """Without a price for information only the reconstruction moves it; the loss is what it would be anyway."""
    task = task_of(tmp_path, estimator)
    task.setup(Fabric(accelerator="cpu", devices=1))
    torch.manual_seed(1)
    made = task.batch(task.model.train(), 0, rank=0, fraction=0.0)
    made.loss.backward()
    assert all(float(weight.grad.abs().max()) > 0 for weight in task.model.encoder.parameters())
    terms = sum(getattr(task.config.loss, name) * made.logs[name] for name in ("mel", "magnitude", "complex"))
    assert float(made.loss.detach()) == pytest.approx(float(terms.detach()), rel=1e-5)


def test_processes_expect_parameters_that_rest(tmp_path: Path) -> None:
    """Those of a bottleneck that has not started; codebooks that learn by averages have none."""
    resting = {
        kind: may_leave_parameters_unused(with_bottleneck(tmp_path, settings)) for kind, settings in KINDS.items()
    }
    assert [kind for kind, rests in resting.items() if not rests] == ["vq, gumbel", "grouped"]
    assert may_leave_parameters_unused(with_bottleneck(tmp_path, {"kind": "vq", "update": "loss"}))
