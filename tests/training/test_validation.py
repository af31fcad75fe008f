"""Scores on validation crops, by hand and on all scales."""

from __future__ import annotations

import pytest
import torch
from lightning.fabric import Fabric
from tiny_runs import toy_config

from vqaudio.training import losses
from vqaudio.training.codec import CodecTask
from vqaudio.training.validation import code_usage, si_sdr


def test_code_usage_by_hand():
    codes = torch.tensor([0, 0, 1, 1])
    assert code_usage(codes, 8, suffix="_1") == {"perplexity_1": pytest.approx(2.0), "used_1": 0.25}
    assert code_usage(torch.arange(8), 8) == {"perplexity": pytest.approx(8.0), "used": 1.0}


def test_si_sdr_by_hand():
    target = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    noise = torch.tensor([[0.1, -0.1, 0.1, -0.1]])  # at right angles to it, 20 dB below
    assert si_sdr(3.0 * (target + noise), target).item() == pytest.approx(20.0, abs=1e-3)


def test_validation_hears_all_scales(tmp_path, monkeypatch):
    config = toy_config(tmp_path, quantize_after=0, loss={"margin_seconds": 0.02, "sampled_scales": True})
    task, fabric = CodecTask(config, progress=False), Fabric(accelerator="cpu", devices=1)
    task.setup(fabric)
    plain = CodecTask(
        config.model_copy(update={"loss": config.loss.model_copy(update={"sampled_scales": False})}), False
    )
    plain.setup(fabric)
    assert task.validate(task.model, fabric, step=0) == plain.validate(task.model, fabric, step=0)
    drawn: list[int] = []
    draw = losses.sample_windows
    monkeypatch.setattr(losses, "sample_windows", lambda: drawn.append(1) or draw())
    task.validate(task.model, fabric, step=0)
    assert not drawn
    task.batch(task.model, 0, rank=0, fraction=0.0)
    assert drawn
