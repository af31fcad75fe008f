"""What the evaluation is tried on: a voice made on the spot, and a codec that rounds."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import numpy as np

from vqaudio.evaluation.metrics import SAMPLE_RATE


def speech(seconds: float, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Syllables of a voice whose pitch wanders."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * time)) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 25))
    return (0.1 * np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None) * voice).astype(np.float32)


class Rounding:
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
