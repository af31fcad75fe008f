"""Integer arithmetic between weights of any size and the intervals of the range coder.

All of it is exact: the same weights give the same intervals, and so the same bytes, on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.rangecoder import PRECISION

TOTAL = 1 << PRECISION
"""What the frequencies of a distribution add up to."""

Integers = NDArray[np.int64]


def frequencies_of(weights: Integers) -> Integers:
    """Weights ``(..., alphabet)`` to frequencies in proportion, each 1 or more, that add up to ``TOTAL``.

    Weights are 0 or more, not all 0, and add up to less than 2**43. What rounding leaves goes to the (first) largest.
    """
    alphabet = weights.shape[-1]
    if weights.ndim == 1:  # the same, and quicker: numpy's functions along axes take their time
        alone: Integers = 1 + weights * (TOTAL - alphabet) // weights.sum()
        alone[alone.argmax()] += TOTAL - alone.sum()
        return alone
    frequencies: Integers = 1 + weights * (TOTAL - alphabet) // weights.sum(-1, keepdims=True)
    largest = frequencies.argmax(-1)[..., None]
    rest = TOTAL - frequencies.sum(-1, keepdims=True)
    np.put_along_axis(frequencies, largest, np.take_along_axis(frequencies, largest, -1) + rest, -1)
    return frequencies


def intervals_of(frequencies: Integers, codes: Integers) -> tuple[Integers, Integers]:
    """Starts and frequencies of ``codes`` ``(...)`` under ``frequencies`` ``(..., alphabet)``."""
    chosen = codes[..., None]
    frequency = np.take_along_axis(frequencies, chosen, -1)[..., 0]
    return np.take_along_axis(frequencies.cumsum(-1), chosen, -1)[..., 0] - frequency, frequency


def bits_of(frequencies: Integers) -> NDArray[np.float64]:
    """What codes of these frequencies cost, in bits."""
    bits: NDArray[np.float64] = PRECISION - np.log2(frequencies)
    return bits
