"""Who speaks, or what is said, by a judge that knows nothing of codecs: a support vector machine on MFCC statistics.

It is trained on recordings with known labels, and then asked about sounds that a model made: the share of them that it
names as they were meant to be is the model's accuracy. How well it does on recordings that it was not trained on is
always to be told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import Wave

COEFFICIENTS = 20
WINDOW_SECONDS, HOP_SECONDS, BANDS = 0.032, 0.010, 40
QUIET_DB = 40.0
"""What is so far below the loudest 10 ms counts as silence at either end."""


class SoundClassifier:
    """Sounds to labels.

    Args:
        sample_rate: of all sounds, Hz.
        parts: stretches of time that statistics are taken over, one after the other: 1 for what stays the same all
            through a sound (its speaker), more for what has an order (its word).
    """

    def __init__(self, sample_rate: int, parts: int = 1):
        self.sample_rate, self.parts = sample_rate, parts
        transforms = require("torchaudio").transforms
        sizes = {"n_fft": round(WINDOW_SECONDS * sample_rate), "hop_length": round(HOP_SECONDS * sample_rate)}
        self._mfcc = transforms.MFCC(sample_rate, COEFFICIENTS, melkwargs={"n_mels": BANDS, **sizes})
        require("sklearn")
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        self._machine: Any = make_pipeline(StandardScaler(), SVC(C=10.0))

    def fit(self, sounds: Sequence[Wave], labels: Sequence[str]) -> None:
        """Learn from sounds ``(samples,)`` with known labels."""
        self._machine.fit(np.stack([self.statistics(sound) for sound in sounds]), list(labels))

    def predict(self, sounds: Sequence[Wave]) -> list[str]:
        """A label for each sound."""
        found = self._machine.predict(np.stack([self.statistics(sound) for sound in sounds]))
        return [str(label) for label in found]

    def accuracy(self, sounds: Sequence[Wave], labels: Sequence[str]) -> float:
        """The share of sounds that get the label they should have."""
        return float(np.mean([a == b for a, b in zip(self.predict(sounds), labels, strict=True)]))

    @torch.no_grad()
    def statistics(self, sound: Wave) -> NDArray[np.float64]:
        """Means and standard deviations of MFCCs and of their changes, in each stretch, and the length in seconds.

        Level and silence at the ends do not count. Source of the features: Davis & Mermelstein, "Comparison of
        parametric representations for monosyllabic word recognition", 1980.
        """
        kept = trim_silence(sound, self.sample_rate)
        wave = torch.from_numpy(np.ascontiguousarray(kept / max(1e-9, float(np.abs(kept).max(initial=0.0)))))
        values = self._mfcc(wave.float())[1:].double().numpy()  # without the level
        values = np.pad(values, ((0, 0), (0, max(0, 2 * self.parts - values.shape[1]))), mode="edge")
        changes = np.gradient(values, axis=1)
        stretches = np.array_split(np.concatenate([values, changes]), self.parts, axis=1)
        found = [statistic(part, axis=1) for part in stretches for statistic in (np.mean, np.std)]
        return np.concatenate([*found, [len(kept) / self.sample_rate] if self.parts > 1 else []])


def trim_silence(sound: Wave, sample_rate: int) -> Wave:
    """Without the silence at either end; two windows long at least."""
    step = round(HOP_SECONDS * sample_rate)
    least = 2 * round(WINDOW_SECONDS * sample_rate)
    padded = np.pad(sound, (0, max(0, least - len(sound))))
    levels = np.square(padded[: len(padded) // step * step]).reshape(-1, step).mean(1)
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-QUIET_DB / 10))
    if not len(loud):
        return padded
    first, last = loud[0] * step, (loud[-1] + 1) * step
    return padded[first : max(last, first + least)]
