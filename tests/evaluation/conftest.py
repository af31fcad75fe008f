"""Clips for the evaluation."""

from __future__ import annotations

import pytest
from judged import write_clips


@pytest.fixture
def folder(tmp_path):
    return write_clips(tmp_path)
