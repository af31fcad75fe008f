"""Augmented copies of recordings: the same words as other codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

LEVELS = (-40.0, -16.0)  # dB RMS re full scale


def augmented(
    sound: NDArray[np.float32],
    sample_rate: int,
    *,
    starts: Sequence[float] = (),
    hop_length: int,
    speed: float,
    random: np.random.Generator,
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """The same words as other codes: a little slower or faster, at another level, frames cut at other places.

    Args:
        sound: ``(samples,)`` at ``sample_rate`` (Hz).
        starts: times in it (s), which are given back as those in the copy.
        hop_length: samples of a frame.
        speed: the most that it changes by, as a share.
        random: what decides.
    """
    factor = random.uniform(1 - speed, 1 + speed)
    made = soxr.resample(sound, sample_rate * factor, sample_rate, quality="MQ") if speed else sound
    late = int(random.integers(hop_length))
    made = made[late:]
    level = 10.0 * np.log10(float(np.mean(made**2)) + 1e-12) if len(made) else 0.0
    made = made * np.float32(10.0 ** ((random.uniform(*LEVELS) - max(level, -70.0)) / 20.0))
    made = np.asarray(made / np.float32(max(1.0, float(np.abs(made).max(initial=0.0)))), np.float32)
    stretched = factor if speed else 1.0
    return made, tuple(max(0.0, start / stretched - late / sample_rate) for start in starts)
