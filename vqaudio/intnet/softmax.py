"""A softmax in integers: logits to frequencies of the range coder by a table that comes with the network's weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.grids import EXP_BITS
from vqaudio.intnet.intervals import Integers, frequencies_of
from vqaudio.intnet.linear import Numbers


class Softmax:
    """The distributions of a network's logits.

    Args:
        exp: weights ``(differences,)`` by how far a logit lies below the largest one, in steps of the grid ``LOGIT``;
            what lies farther weighs as the last.

    Raises:
        ValueError: weights above 2**24.
    """

    def __init__(self, exp: NDArray[Any]):
        self.exp = exp.astype(np.int64)
        if self.exp.max() > 1 << EXP_BITS:
            raise ValueError(f"a code may weigh {self.exp.max()}, expected {1 << EXP_BITS} or less")
        self._exp = self.exp.astype(np.float64)

    def weights(self, differences: Integers) -> Integers:
        """Weights of codes whose logits lie so far below the largest; any shape, 0 or more."""
        found: Integers = self.exp[np.minimum(differences, len(self.exp) - 1)]
        return found

    def frequencies(self, logits: Numbers) -> Integers:
        """Frequencies of all codes, int64 ``(..., alphabet)``, from logits of that shape."""
        return frequencies_of(self._exp.take(below_largest(logits), mode="clip"))


def below_largest(logits: Numbers) -> Integers:
    """How far logits ``(..., alphabet)`` lie below the largest."""
    found: Integers = (logits.max(-1, keepdims=True) - logits).astype(np.int64)
    return found
