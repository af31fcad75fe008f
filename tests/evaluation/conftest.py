"""Clips for the evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from judged import speech

from vqaudio.evaluation.metrics import SAMPLE_RATE


@pytest.fixture
def folder(tmp_path):
    """Two clips of speech, one silent clip, and one too short."""
    (tmp_path / "b").mkdir()
    soundfile.write(tmp_path / "a.wav", speech(2), SAMPLE_RATE)
    soundfile.write(tmp_path / "b" / "c.flac", speech(1.5, 8000), 8000)
    soundfile.write(tmp_path / "quiet.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(tmp_path / "short.wav", speech(0.2), SAMPLE_RATE)
    (tmp_path / "notes.txt").write_text("not a recording")
    return tmp_path
