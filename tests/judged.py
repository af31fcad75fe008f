"""What the evaluation is tried on: a voice made on the spot, and a codec that rounds."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import SAMPLE_RATE
from vqaudio.evaluation.scoring import Evaluation, evaluate
from vqaudio.evaluation.systems import Coded


def speech(seconds: float, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Syllables of a voice whose pitch wanders."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time)) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 25))
    return (0.1 * np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None) * voice).astype(np.float32)


class RoundingCodec:
    """A stand-in for a loaded codec: samples rounded to ``2 n`` bits, two bytes a sample; two codebooks of 8."""

    name = "rounding"
    least_codebooks, n_codebooks = 1, 2
    streams = (SimpleNamespace(alphabet=8), SimpleNamespace(alphabet=8))

    def encode(self, wav, sample_rate):
        frames = np.arange(wav.shape[1] // 320)[None]
        return SimpleNamespace(streams=[frames % 8, frames % 2])

    def compress(self, wav, sample_rate, n_codebooks, entropy, rdo):
        steps = 2.0 ** (2 * n_codebooks - rdo)
        data = (np.round(wav * steps) / steps * 16384).astype("<i2").tobytes()
        return data if entropy in (None, "none") else b"z" + zlib.compress(data)

    def decompress(self, data):
        if data.startswith(b"z"):
            data = zlib.decompress(data[1:])
        return np.frombuffer(data, "<i2").astype(np.float32)[None] / 16384, SAMPLE_RATE


class IdentityCodec:
    """A system that changes nothing, at 8 kb/s."""

    name, family = "perfect", "ideal"

    def run(self, clip):
        return Coded(clip, len(clip) // 16)


def small_evaluation(folder: Path) -> Evaluation:
    """What comes of three clips through a system that changes nothing."""
    return evaluate(select(folder, min_seconds=1.0), [IdentityCodec()], codec=RoundingCodec(), progress=False)


def write_clips(folder: Path) -> Path:
    """Two clips of speech, one silent clip, and one too short."""
    (folder / "b").mkdir()
    soundfile.write(folder / "a.wav", speech(2), SAMPLE_RATE)
    soundfile.write(folder / "b" / "c.flac", speech(1.5, 8000), 8000)
    soundfile.write(folder / "quiet.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(folder / "short.wav", speech(0.2), SAMPLE_RATE)
    (folder / "notes.txt").write_text("not a recording")
    return folder
