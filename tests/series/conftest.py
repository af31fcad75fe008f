"""What tests of tables share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from vqaudio.series import kernels

DIRT = 0xA5


@pytest.fixture(autouse=True)
def _dirty(monkeypatch):
    """What kernels find in memory that they have not written yet is nothing that they may use."""
    call = kernels.Instance.call

    def dirty(self: kernels.Instance, kernel: str, arguments: Sequence[Any]) -> Any:
        room = [np.full(each.size, DIRT, np.uint8) if isinstance(each, kernels.Scratch) else each for each in arguments]
        return call(self, kernel, room)

    monkeypatch.setattr(kernels.Instance, "call", dirty)
    monkeypatch.setattr(kernels, "FRESH", DIRT)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
