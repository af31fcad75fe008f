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


def frequencies_of(weights: Integers | NDArray[np.float64]) -> Integers:
    """Weights ``(..., alphabet)`` to frequencies in proportion, each 1 or more, that add up to ``TOTAL``.

    Weights are integers, 0 or more, not all 0, and add up to less than 2**43. In float64, which divides quicker, each
    is 2**24 or less. What rounding leaves goes to the (first) largest.
    """
    alphabet = weights.shape[-1]
    if weights.dtype.kind == "f":
        # Exact: products are 2**44 or less, and a quotient that is no integer is farther below the next one than 2**-45
        # of it, which float64 tells apart.
        shares = weights * float(TOTAL - alphabet)
        shares /= weights.sum(-1, keepdims=True)
        frequencies: Integers = shares.astype(np.int64)
    else:
        frequencies = weights * (TOTAL - alphabet) // weights.sum(-1, keepdims=True)
    frequencies += 1
    rows = frequencies.reshape(-1, alphabet)
    rows[np.arange(len(rows)), rows.argmax(-1)] += TOTAL - rows.sum(-1)
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
