"""Floats as integers on a grid, and the search for one: exact, in float64, on every machine.

A grid is ``(first + step * q) / scale``, or ``* scale``: integers below 2**53 and one rounded operation of IEEE 754, so
that decimals come out as the very numbers that their text is read as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.series.arrays import Bools, Integers
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues
from vqaudio.series.encodings.bounds import equal_bits, within

EXACT = 2**53
DIGITS = {"float16": 4, "float32": 8, "float64": 15}
"""Most digits behind the point that are looked for."""
SAMPLE_ROWS = 1000
BLOCK = 1 << 14
"""Values that are encoded at once, so that they stay in the processor's cache."""
LITERAL_SHARE = 100
"""One value in so many may lie off a grid; it is stored as it is."""


@dataclass(frozen=True)
class GridEncoding(ColumnEncoding):
    """Integers *q* to floats; ``divides`` says whether ``scale`` divides or multiplies."""

    kind = "grid"

    scale: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    divides: Annotated[bool, Field(strict=True)]
    step: Annotated[int, Field(strict=True, ge=1, lt=2**62)] = 1
    first: Annotated[int, Field(strict=True, ge=-(2**62), lt=2**62)] = 0

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        steps = numbers if self.step == 1 else self.step * numbers
        whole = (steps + self.first if self.first else steps).astype(np.float64)
        with np.errstate(over="ignore"):
            return (whole / self.scale if self.divides else whole * self.scale).astype(dtype)

    def numbers(self, values: NDArray[Any]) -> Integers:
        """The integers whose floats are nearest; 0 where there is none that floats hold exactly."""
        wide = values.astype(np.float64)
        with np.errstate(over="ignore"):
            whole = wide * self.scale if self.divides else wide / self.scale
            if self.first:
                whole -= self.first
            if self.step > 1:
                whole /= self.step
            numbers = np.rint(whole, out=whole)
        most = (EXACT - abs(self.first)) // self.step
        if not (len(numbers) and -most < numbers.min() and numbers.max() < most):  # true for NaN
            numbers = np.where(np.abs(numbers) < most, numbers, 0)
        return numbers.astype(np.int64)


def find_grid(values: NDArray[Any]) -> GridEncoding | None:
    """The coarsest grid on which (nearly) all values lie to the bit, if there is one.

    It is sought among decimals with a fixed number of digits, then among multiples and fractions of the usual distance.
    """
    found = encode_on_grid(values)
    return None if found is None else cast(GridEncoding, found.encoding)


def encode_on_grid(values: NDArray[Any]) -> EncodedValues | None:
    """Floats ``(values,)`` on the grid that they lie on, exactly; None if there is none.

    Grids are chosen by a sample, then tried on all values: one pass where the sample is right.
    """
    if not len(values):
        return EncodedValues(GridEncoding(1.0, True), np.zeros(0, np.int64), np.zeros(0, bool))
    some = sample(values, SAMPLE_ROWS)
    for grid in _candidate_grids(values):
        if not _is_close(on_some := encode_on(grid, some), some):
            continue
        coarse = _coarsened(on_some)
        found = encode_on(coarse, values)
        if not _is_close(found, values):  # not all are multiples of what those of the sample are
            if coarse == grid or not _is_close(found := encode_on(grid, values), values):
                continue
            coarse = _coarsened(found)
            steps = (found.numbers - coarse.first) // coarse.step
            found = EncodedValues(coarse, steps, found.representable)
        return found
    return None


def sample(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Values from all over ``values``, at most so many."""
    return values[np.linspace(0, len(values) - 1, min(size, len(values))).astype(np.int64)]


def _candidate_grids(values: NDArray[Any]) -> Iterator[GridEncoding]:
    for digits in range(DIGITS[values.dtype.name] + 1):
        yield GridEncoding(10.0**digits, True)
    with np.errstate(over="ignore"):
        distance = (
            abs(float(np.median(np.diff(values[: 2 * SAMPLE_ROWS].astype(np.float64))))) if len(values) > 1 else 0.0
        )
    if 1 / EXACT < distance < EXACT:
        yield GridEncoding(float(f"{distance:.12g}"), False)
        yield GridEncoding(float(max(1, round(1 / distance))), True)


def _is_close(found: EncodedValues, values: NDArray[Any]) -> bool:
    """Whether nearly all values are on the grid; -0 may stray as often as it likes."""
    odd = values[~found.representable]
    return int(np.count_nonzero(odd)) <= len(values) // LITERAL_SHARE


def _coarsened(found: EncodedValues) -> GridEncoding:
    """The same grid without the numbers that no value on it takes."""
    grid, numbers = cast(GridEncoding, found.encoding), found.numbers[found.representable]
    if not len(numbers):
        return grid
    first = int(numbers[0])
    return GridEncoding(grid.scale, grid.divides, max(1, int(np.gcd.reduce(np.abs(numbers - first)))), first)


def encode_on(grid: GridEncoding, values: NDArray[Any], bound: float = 0.0) -> EncodedValues:
    """Floats ``(values,)`` on that grid, within a bound; exactly where it is 0."""
    numbers, good = np.empty(len(values), np.int64), np.empty(len(values), bool)
    for start in range(0, len(values), BLOCK):
        rows = slice(start, start + BLOCK)
        numbers[rows] = grid.numbers(values[rows])
        decoded = grid.values(numbers[rows], values.dtype.name)
        good[rows] = _is_within(decoded, values[rows], bound) if bound else equal_bits(decoded, values[rows])
    return EncodedValues(grid, numbers, good, bound)


def _is_within(decoded: NDArray[Any], values: NDArray[Any], bound: float) -> Bools:
    """As :func:`within`, which is asked where the rounded difference does not settle it."""
    with np.errstate(over="ignore", invalid="ignore"):
        clear = np.abs(decoded.astype(np.float64) - values) <= bound * (1 - 2**-40)
    return np.asarray(clear) if clear.all() else within(decoded, values, bound=bound)
