"""What is gathered of a whole table before its first chunk is written: ranges, and whether its first column is a clock.

A table that is larger than memory is gone through twice for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vqaudio.errors import SeriesError
from vqaudio.series.encodings.bounds import Bounds, ColumnBound, MaxError, RelativeError
from vqaudio.series.encodings.sentinels import Extremes, Number, find_sentinels
from vqaudio.series.table import FLOATS, INTEGERS, Column, Table

CLOCK_NAMES = {"t", "time", "date", "datetime", "timestamp", "seconds", "index"}
FEWEST_TICKS = 3


@dataclass(frozen=True)
class ColumnPlan:
    """What holds for all rows of a column.

    Args:
        bound: how far decoded values may be off; 0 for not at all.
        sentinels: values that are exact whatever the bound, and not in its range; None where chunks look for theirs.
        exempt: whether it is exact whatever bound is asked for, by its bits if need be.
        bounded: whether a bound was asked for, and it is not exempt.
        share: how far they may be off, as a share of each; then ``bound`` is 0.
        asked: the bound that was asked for.
    """

    bound: float = 0.0
    exempt: bool = False
    bounded: bool = False
    sentinels: tuple[Number, ...] | None = None
    share: float = 0.0
    asked: ColumnBound | None = None

    @property
    def words(self) -> str:
        """The bound that was asked for, as files hold it, where it says more than ``bound`` and ``share``."""
        return (
            str(self.asked)
            if self.bounded and self.asked not in (MaxError(self.bound), None) and not self.share
            else ""
        )


class ColumnRange:
    """Least and greatest value of a column, and whether it rises as a clock does, piece by piece."""

    def __init__(self, column: Column):
        self.name, self.dtype = column.name, column.dtype
        self.extremes = Extremes(column.values.dtype.name)
        self._count, self._latest = 0, 0.0
        self._steps, self._largest = (np.inf, -np.inf), 0.0

    def add(self, column: Column) -> None:
        """The next rows."""
        known = column.values[column.known]
        if column.dtype in FLOATS:
            known = known[np.isfinite(known)]
        if not len(known):
            return
        self.extremes.add(known)
        wide = known.astype(np.float64)
        if self._count:
            wide = np.concatenate([[self._latest], wide])
        with np.errstate(over="ignore", invalid="ignore"):
            steps = np.diff(wide)
        if len(steps):
            self._steps = min(self._steps[0], float(steps.min())), max(self._steps[1], float(steps.max()))
        self._count, self._latest = self._count + len(known), float(wide[-1])
        self._largest = max(self._largest, float(np.abs(wide).max()))

    @property
    def is_clock(self) -> bool:
        """Whether values rise all the time and either regularly, or under a name for time."""
        if self._count < FEWEST_TICKS:
            return False
        least, greatest = self._steps
        regular = greatest - least <= 1e-6 * max(abs(least), abs(greatest)) + 1e-15 * self._largest
        named = re.split("[^a-z]", self.name.lower(), maxsplit=1)[0] in CLOCK_NAMES
        return least > 0 and (regular or named)


def survey(pieces: Iterable[Table], *, all_columns: bool) -> list[ColumnRange]:
    """The ranges of the columns of numbers, or of the first alone, of a table that comes in pieces."""
    ranges: list[ColumnRange] = []
    for piece in pieces:
        ranges = ranges or [ColumnRange(column) for column in piece.columns]
        for number, (found, column) in enumerate(zip(ranges, piece.columns, strict=True)):
            if column.dtype in FLOATS + INTEGERS and (all_columns or number == 0):
                found.add(column)
    return ranges


def plan(ranges: Sequence[ColumnRange], bounds: Bounds | None, *, name: str) -> list[ColumnPlan]:
    """What holds for all rows of each column; of columns that aim at a ratio, the bound is their range.

    Raises:
        SeriesError: bounds for columns that are not there, or that hold no numbers.
    """
    try:
        asked = [None] * len(ranges) if bounds is None else bounds.of_columns([found.name for found in ranges])
    except SeriesError as error:
        raise SeriesError(f"{name}: {error}") from None
    plans = []
    numeric = [found.extremes if found.dtype in FLOATS + INTEGERS else None for found in ranges]
    for number, (found, wanted, sentinels) in enumerate(zip(ranges, asked, find_sentinels(numeric), strict=True)):
        is_named = bounds is not None and bounds.names(found.name)
        if wanted is not None and is_named and found.dtype not in FLOATS + INTEGERS:
            raise SeriesError(
                f"{name}: a bound is given for column {found.name!r}, which holds {found.dtype} and stays exact; name "
                "columns of numbers"
            )
        is_exact = found.dtype not in FLOATS + INTEGERS or (number == 0 and found.is_clock and not is_named)
        if is_exact or wanted is None:
            plans.append(ColumnPlan(exempt=is_exact or bounds is not None, asked=wanted))
            continue
        ends = found.extremes.range_without(sentinels)
        if isinstance(wanted, RelativeError):
            plans.append(ColumnPlan(0.0, False, True, sentinels, wanted.amount, wanted))
        elif isinstance(wanted, MaxError):
            plans.append(ColumnPlan(wanted.of(ends), False, True, sentinels, asked=wanted))
        else:
            span = MaxError(1.0, relative=True).of(ends)
            plans.append(ColumnPlan(span, False, True, sentinels, asked=wanted))
    return plans
