"""Floats as integers on a grid, and the search for one: exact, in float64, on every machine.

A grid is ``(first + step * q) / scale``, or ``* scale``: integers below 2**53 and one rounded operation of IEEE 754, so
that decimals come out as the very numbers that their text is read as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.series.arrays import Integers
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues
from vqaudio.series.encodings.bounds import equal_bits, within

EXACT = 2**53
DIGITS = {"float16": 4, "float32": 8, "float64": 15}
"""Most digits behind the point that are looked for."""
STEP_DIGITS = 4
"""Steps of grids that are not the data's own have so many digits, so that decoded values are short as text."""
PHASES = 8
LARGEST_STEP = 2**30
ZERO_SHARE = 20
"""Of columns where one value in so many is 0, the grid has a 0."""
SAMPLE_ROWS = 1000
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
        whole = (self.first + self.step * numbers).astype(np.float64)
        with np.errstate(over="ignore"):
            return (whole / self.scale if self.divides else whole * self.scale).astype(dtype)

    def numbers(self, values: NDArray[Any]) -> Integers:
        """The integers whose floats are nearest; 0 where there is none that floats hold exactly."""
        wide = values.astype(np.float64)
        with np.errstate(over="ignore"):
            whole = wide * self.scale if self.divides else wide / self.scale
            numbers = np.rint((whole - self.first) / self.step)
        fits = np.abs(numbers) < (EXACT - abs(self.first)) // self.step  # false for NaN too
        return np.where(fits, numbers, 0).astype(np.int64)


def find_grid(values: NDArray[Any]) -> GridEncoding | None:
    """The coarsest grid on which (nearly) all values lie to the bit, if there is one.

    It is sought among decimals with a fixed number of digits, then among multiples and fractions of the usual distance.
    """
    if not len(values):
        return GridEncoding(1.0, True)
    some = values[np.linspace(0, len(values) - 1, min(SAMPLE_ROWS, len(values))).astype(int)]
    for grid in _candidate_grids(values):
        if _represents(grid, some) and (len(some) == len(values) or _represents(grid, values)):
            return _coarsened(grid, values)
    return None


def _candidate_grids(values: NDArray[Any]) -> Iterator[GridEncoding]:
    for digits in range(DIGITS[values.dtype.name] + 1):
        yield GridEncoding(10.0**digits, True)
    with np.errstate(over="ignore"):
        distance = (
            abs(float(np.median(np.diff(values.astype(np.float64)[: 2 * SAMPLE_ROWS])))) if len(values) > 1 else 0.0
        )
    if 1 / EXACT < distance < EXACT:
        yield GridEncoding(float(f"{distance:.12g}"), False)
        yield GridEncoding(float(max(1, round(1 / distance))), True)


def _represents(grid: GridEncoding, values: NDArray[Any]) -> bool:
    equal = grid.values(grid.numbers(values), values.dtype.name) == values  # -0 may stray as often as it likes
    return int((~equal).sum()) <= len(values) // LITERAL_SHARE


def _coarsened(grid: GridEncoding, values: NDArray[Any]) -> GridEncoding:
    """The same grid without the numbers that no value on it takes."""
    numbers = grid.numbers(values)
    numbers = numbers[equal_bits(grid.values(numbers, values.dtype.name), values)]
    if not len(numbers):
        return grid
    first = int(numbers[0])
    return GridEncoding(grid.scale, grid.divides, max(1, int(np.gcd.reduce(np.abs(numbers - first)))), first)


def encode_on_grid(values: NDArray[Any]) -> EncodedValues | None:
    """Floats ``(values,)`` on the grid that they lie on, exactly; None if there is none."""
    grid = find_grid(values)
    if grid is None:
        return None
    numbers = grid.numbers(values)
    return EncodedValues(grid, numbers, equal_bits(grid.values(numbers, values.dtype.name), values))


def encode_within(values: NDArray[Any], bound: float) -> EncodedValues | None:
    """Floats ``(values,)`` on a grid with steps near ``2 * bound``; decoded values and their text are within it.

    Steps of values that have a grid of their own are odd multiples of its step, where that is the wider choice. Where
    many values are 0, it holds 0: nights without light stay dark. None where floats hold no such steps.
    """
    found = _encode_bounded(values, bound)
    if found is None:
        return None
    if values.dtype == np.float64:  # whose texts are read as the same numbers
        return found
    from vqaudio.series.cell_text import of_floats, read_floats  # late: Arrow takes a while to import

    read = read_floats(of_floats(found.encoding.values(found.numbers, values.dtype.name)))
    return replace(found, representable=found.representable & within(read, values, bound=bound))


def _encode_bounded(values: NDArray[Any], bound: float) -> EncodedValues | None:
    often_zero = np.count_nonzero(values == 0) * ZERO_SHARE >= len(values)
    best = None
    for grid, unit in _candidate_bounded_grids(values, bound):
        found = _encode(grid, values, bound)
        n_representable = found.representable.sum()
        if best is None or n_representable > best.representable.sum():
            best = found
        if n_representable >= len(values) - len(values) // (10 * LITERAL_SHARE):
            if often_zero:
                with_zero = _encode(replace(grid, first=0), values, bound)
                return with_zero if with_zero.representable.sum() >= n_representable else best
            return min((best, *_shifted(grid, unit, values, bound)), key=_variation)
    return best


def _encode(grid: GridEncoding, values: NDArray[Any], bound: float) -> EncodedValues:
    numbers = grid.numbers(values)
    return EncodedValues(grid, numbers, within(grid.values(numbers, values.dtype.name), values, bound=bound), bound)


def _shifted(grid: GridEncoding, unit: int, values: NDArray[Any], bound: float) -> Iterator[EncodedValues]:
    """On the same grid, moved by parts of its step: a signal that rests between two of its values would waver."""
    for part in range(1, PHASES):
        moved = replace(grid, first=grid.first + grid.step * part // PHASES // unit * unit)
        if moved != grid:
            yield _encode(moved, values, bound)


def _variation(found: EncodedValues) -> tuple[int, int]:
    """Values that the grid does not represent; then how many steps the others go up and down."""
    steps = np.abs(np.diff(found.numbers[found.representable]))
    return int((~found.representable).sum()), int(np.minimum(steps, LARGEST_STEP).sum())


def _candidate_bounded_grids(values: NDArray[Any], bound: float) -> Iterator[tuple[GridEncoding, int]]:
    """Grids to try, each with the unit that it may be moved by."""
    width = min(2 * bound, 1e307)
    own = find_grid(values)
    if own is not None:
        unit = own.step / own.scale if own.divides else own.step * own.scale
        either_side = int(min(bound / unit * (1 - 1e-9), EXACT))
        wide = own.step * (2 * either_side + 1)
        if wide < EXACT and (2 * either_side + 1) * unit > 0.999 * width:
            yield GridEncoding(own.scale, own.divides, wide, own.first), own.step
    # A second, slightly finer grid: with the first, values halfway between may all be a rounding error too far off.
    _, digits, exponent = Decimal(repr(width)).as_tuple()
    whole = int("".join(map(str, digits)))
    assert isinstance(exponent, int)
    too_long = len(str(whole)) - STEP_DIGITS
    whole, exponent = (whole // 10**too_long, exponent + too_long) if too_long > 0 else (whole, exponent)
    for finer in range(2):
        if finer:
            whole, exponent = whole * 10 ** -min(0, too_long) - 1, exponent + min(0, too_long)
        while whole and whole % 10 == 0:
            whole, exponent = whole // 10, exponent + 1
        scale = float(f"1e{abs(exponent) if -22 <= exponent < 0 else exponent}")
        if whole and scale:
            yield GridEncoding(scale, -22 <= exponent < 0, whole), 1
