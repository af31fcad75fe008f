"""What tests of training start from."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import tiny_model
from torch import nn

from vqaudio.model import checkpoint
from vqaudio.model.layers import ResidualUnit


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A model to start from, whose units each do something."""
    model = tiny_model(seed=3)
    for module in model.modules():
        if isinstance(module, ResidualUnit):
            nn.init.normal_(module.scale)
            nn.init.normal_(module.expand.weight)
            nn.init.normal_(module.contract.weight)
    path = tmp_path / "start.safetensors"
    checkpoint.save(model, path)
    return path
