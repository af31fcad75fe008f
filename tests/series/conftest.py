"""What tests of tables share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _dirty(monkeypatch):
    """What kernels find in memory that they have not written yet is nothing that they may use."""
    monkeypatch.setattr("vqaudio.series.kernels.FRESH", 0xA5)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
