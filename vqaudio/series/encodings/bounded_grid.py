"""Floats on grids whose steps are about twice a bound, so that all of them are within it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.arrays import Integers
from vqaudio.series.encodings.base import EncodedValues
from vqaudio.series.encodings.bounds import within
from vqaudio.series.encodings.grid import EXACT, LITERAL_SHARE, SAMPLE_ROWS, GridEncoding, encode_on, find_grid, sample

STEP_DIGITS = 4
"""Steps of grids that are not the data's own have so many digits, so that decoded values are short as text."""
PHASES = 8
LARGEST_STEP = 2**30
ZERO_SHARE = 20
"""Of columns where one value in so many is 0, the grid has a 0."""
TRIAL_STRETCH, TRIAL_STRETCHES = 1 << 9, 16
"""Grids are compared on so many stretches of so many values."""


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
    grid = cast(GridEncoding, found.encoding)
    decoded = grid.values(found.numbers, values.dtype.name)
    with np.errstate(over="ignore", invalid="ignore"):  # a text is read as a number at most so far from the float
        farthest = np.abs(decoded.astype(np.float64) - values) + np.spacing(np.abs(decoded))
        unsure = found.representable & ~(farthest <= bound * (1 - 2**-40))
    if not unsure.any():
        return found
    from vqaudio.series.cell_text import of_floats, read_floats  # late: Arrow takes a while to import

    good = found.representable.copy()
    good[unsure] = within(read_floats(of_floats(decoded[unsure])), values[unsure], bound=bound)
    return replace(found, representable=good)


def _encode_bounded(values: NDArray[Any], bound: float) -> EncodedValues | None:
    """On the calmest grid that represents nearly all values; else on the one that represents most."""
    some = values[stretches(len(values))]
    often_zero = np.count_nonzero(values == 0) * ZERO_SHARE >= len(values)
    best = None
    for grid, unit in _candidate_bounded_grids(values, bound):
        grids = [grid]
        if _represents_nearly_all(encode_on(grid, some, bound)):
            calmer = [replace(grid, first=0)] if often_zero else _calmest_first(grid, unit, some, bound)
            grids = list(dict.fromkeys([*calmer, grid]))
        for tried in grids:
            found = encode_on(tried, values, bound)
            if _represents_nearly_all(found):
                return found
            if best is None or found.representable.sum() > best.representable.sum():
                best = found
    return best


def stretches(n_rows: int) -> Integers:
    """The numbers of rows from all over a column, many of which follow one another."""
    if n_rows <= TRIAL_STRETCH * TRIAL_STRETCHES:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - TRIAL_STRETCH, TRIAL_STRETCHES).astype(np.int64)
    return np.concatenate([np.arange(start, start + TRIAL_STRETCH) for start in starts])


def _represents_nearly_all(found: EncodedValues) -> bool:
    n_values = len(found.numbers)
    return int(np.count_nonzero(found.representable)) >= n_values - n_values // (10 * LITERAL_SHARE)


def _calmest_first(grid: GridEncoding, unit: int, values: NDArray[Any], bound: float) -> list[GridEncoding]:
    """The grid and the same moved by parts of its step: a signal that rests between two of its values would waver."""
    first = [grid.first + grid.step * part // PHASES // unit * unit for part in range(PHASES)]
    moved = dict.fromkeys(replace(grid, first=one) for one in first)
    return [min(moved, key=lambda one: _variation(encode_on(one, values, bound)))]


def _variation(found: EncodedValues) -> tuple[int, int]:
    """Values that the grid does not represent; then how many steps the others go up and down."""
    steps = np.abs(np.diff(found.numbers[found.representable]))
    return int((~found.representable).sum()), int(np.minimum(steps, LARGEST_STEP).sum())


def _candidate_bounded_grids(values: NDArray[Any], bound: float) -> Iterator[tuple[GridEncoding, int]]:
    """Grids to try, each with the unit that it may be moved by."""
    width = min(2 * bound, 1e307)
    own = find_grid(sample(values, SAMPLE_ROWS))
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
