"""Whether a prior memorizes: how far sampled codes are from the nearest stretch of what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer]

CLOSEST = 0.05
"""Sampled spans count as closer than held-out ones where they are closer than all but this share of these."""


@dataclass(frozen=True)
class Memorization:
    """Shares of codes that differ from the nearest stretch of the training recordings.

    Attributes:
        sampled, held_out: medians over the spans that were sampled, and over real ones that were not trained on.
        closer: the share of sampled spans that are nearer than all but 5 % of the held-out ones: 0.05 where both are
            alike, more where a prior repeats what it learned from.
    """

    sampled: float
    held_out: float
    closer: float


def spans_of(recordings: Sequence[Codes], frames: int, *, step: int | None = None) -> list[Codes]:
    """Stretches ``(streams, frames)`` of recordings ``(streams, codes)``, one every ``step`` frames or end to end."""
    return [
        codes[:, at : at + frames]
        for codes in recordings
        for at in range(0, codes.shape[1] - frames + 1, step or frames)
    ]


def distances(spans: Sequence[Codes], recordings: Sequence[Codes]) -> NDArray[np.float64]:
    """For each span the share of its codes that differ from the nearest stretch of the recordings."""
    frames = spans[0].shape[1]
    joined = np.concatenate([np.pad(codes, ((0, 0), (0, frames)), constant_values=-1) for codes in recordings], axis=1)
    found = np.empty(len(spans))
    starts = joined.shape[1] - frames + 1
    for index, span in enumerate(spans):
        equal = np.zeros(starts, np.int32)
        for stream, codes in zip(joined, span, strict=True):
            for offset, code in enumerate(codes):
                equal += stream[offset : offset + starts] == code
        found[index] = 1.0 - equal.max() / span.size
    return found


def memorization(sampled: Sequence[Codes], held_out: Sequence[Codes], *, training: Sequence[Codes]) -> Memorization:
    """How near sampled spans are to the training recordings, beside held-out spans of the same length."""
    ours, theirs = distances(sampled, training), distances(held_out, training)
    closer = float(np.mean(ours < np.quantile(theirs, CLOSEST)))
    return Memorization(float(np.median(ours)), float(np.median(theirs)), closer)
