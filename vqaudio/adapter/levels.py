"""Levels of chunks as tensors: a sound is ``gain * coded + offset``, see :mod:`vqaudio.codec.levels`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.codec.levels import OFFSET_STEPS, gain_and_offset, restore_level
from vqaudio.container import PLAIN, Level

Levels = Sequence[Level]
"""Of one sound: one for each chunk."""


def to_scales(batch: Sequence[Levels]) -> Tensor | None:
    """Gain and offset of each chunk, float64 ``(batch, chunks, 2)``; None where all are plain."""
    if all(level == PLAIN for levels in batch for level in levels):
        return None
    longest = max(map(len, batch))
    padded = [[*levels, *[PLAIN] * (longest - len(levels))] for levels in batch]
    return torch.tensor([[gain_and_offset(level) for level in levels] for levels in padded], dtype=torch.float64)


def from_scales(scales: Tensor) -> list[Level]:
    """The levels of one sound, from ``(chunks, 2)``."""
    return [Level(round(math.log2(gain)), round(offset / gain * OFFSET_STEPS)) for gain, offset in scales.tolist()]


def sample_levels(levels: Levels, *, block_samples: int, hop_length: int) -> tuple[NDArray[np.float32], ...]:
    """Gain and offset of every sample of a sound's chunks, ``(samples,)`` each, blended where chunks meet."""
    gains, offsets = [], []
    for index, own in enumerate(levels):
        around = [levels[max(0, index - 1)], own, levels[min(index + 1, len(levels) - 1)]]
        zeros = np.zeros(block_samples, np.float32)
        offsets.append(restore_level(zeros, around, hop_length=hop_length))
        gains.append(restore_level(zeros + 1, around, hop_length=hop_length) - offsets[-1])
    return np.concatenate(gains), np.concatenate(offsets)
