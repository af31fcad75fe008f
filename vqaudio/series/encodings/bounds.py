"""How far decoded values may be off, and whether they are: exact, in float64, on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series.arrays import Bools


@dataclass(frozen=True)
class MaxError:
    """How far decoded values may lie from the originals: ``amount``, or so much of each column's range."""

    amount: float
    relative: bool = False

    @classmethod
    def parse(cls, text: str) -> MaxError:
        """From ``0.05`` or ``1%``.

        Raises:
            SeriesError: anything else, and amounts that are not above 0.
        """
        try:
            amount = float(text.removesuffix("%"))
        except ValueError:
            amount = float("nan")
        if not 0 < amount < float("inf"):
            raise SeriesError(f"--max-error {text}: expected a number above 0, or a percentage of the range, as in 1%")
        return cls(amount / 100, True) if text.endswith("%") else cls(amount)

    def of(self, values: NDArray[Any]) -> float:
        """The bound for some values, in their unit."""
        if not self.relative:
            return self.amount
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        bound = min(high * self.amount - low * self.amount, 1e308)
        return bound if values.dtype.kind in "iu" else bound * (1 - 2**-40)  # whichever way a reader rounds the range


def equal_bits(one: NDArray[Any], other: NDArray[Any]) -> Bools:
    """Where floats are equal to the bit: 0 is not -0."""
    bits = f"u{one.dtype.itemsize}"
    return np.asarray(one.view(bits) == other.view(bits))


def within(one: NDArray[Any], other: NDArray[Any], *, bound: float) -> Bools:
    """Where two arrays of floats differ by ``bound`` or less, as real numbers.

    The rounded difference decides unless it is the bound itself; then the rounding error does, which is a float
    (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2, theorem B).
    """
    a, b = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        difference = a - b
        minus_b = difference - a
        error = (a - (difference - minus_b)) - (b + minus_b)
        size = np.abs(difference)
        return np.asarray((size < bound) | ((size == bound) & (np.sign(difference) * error <= 0)))


def distances(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.uint64]:
    """How far two arrays of integers are apart, where that may leave their type."""
    greater, less = np.maximum(one, other), np.minimum(one, other)
    return np.asarray(greater.astype(np.uint64) - less.astype(np.uint64))  # right modulo 2**64
