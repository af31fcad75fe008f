"""Integer arithmetic between weights of any size and the intervals of the range coder.

All of it is exact: the same weights give the same intervals, and so the same bytes, on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.rangecoder import PRECISION

TOTAL = 1 << PRECISION
"""What the sizes of a distribution's intervals add up to."""

Integers = NDArray[np.int64]


def sizes_of(weights: Integers) -> Integers:
    """Weights ``(..., alphabet)`` to sizes of intervals in proportion, each 1 or more, that add up to ``TOTAL``.

    Weights are 0 or more, not all 0, and add up to less than 2**43. What rounding leaves goes to the (first) largest.
    """
    alphabet = weights.shape[-1]
    sizes: Integers = 1 + weights * (TOTAL - alphabet) // weights.sum(-1, keepdims=True)
    largest = sizes.argmax(-1)[..., None]
    rest = TOTAL - sizes.sum(-1, keepdims=True)
    np.put_along_axis(sizes, largest, np.take_along_axis(sizes, largest, -1) + rest, -1)
    return sizes


def intervals_of(sizes: Integers, codes: Integers) -> tuple[Integers, Integers]:
    """Starts and sizes of the intervals of ``codes`` ``(...)`` under ``sizes`` ``(..., alphabet)``."""
    chosen = codes[..., None]
    size = np.take_along_axis(sizes, chosen, -1)[..., 0]
    return np.take_along_axis(sizes.cumsum(-1), chosen, -1)[..., 0] - size, size


def bits_of(sizes: Integers) -> NDArray[np.float64]:
    """What codes with intervals of these sizes cost."""
    bits: NDArray[np.float64] = PRECISION - np.log2(sizes)
    return bits
