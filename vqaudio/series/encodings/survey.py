"""What is gathered of a whole table before its first chunk is written: ranges, and whether its first column is a clock.

A table that is larger than memory is gone through twice for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vqaudio.series.encodings.bounds import MaxError
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
        bounded: whether a bound was asked for.
    """

    bound: float = 0.0
    exempt: bool = False
    bounded: bool = False
    sentinels: tuple[Number, ...] | None = None


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


def plan(pieces: Iterable[Table], max_error: MaxError | None) -> list[ColumnPlan]:
    """What holds for all rows of each column of a table that comes in pieces."""
    ranges: list[ColumnRange] = []
    for piece in pieces:
        ranges = ranges or [ColumnRange(column) for column in piece.columns]
        for number, (found, column) in enumerate(zip(ranges, piece.columns, strict=True)):
            if column.dtype in FLOATS + INTEGERS and (max_error is not None or number == 0):
                found.add(column)
    plans = []
    numeric = [found.extremes if found.dtype in FLOATS + INTEGERS else None for found in ranges]
    for number, (found, sentinels) in enumerate(zip(ranges, find_sentinels(numeric), strict=True)):
        exempt = found.dtype not in FLOATS + INTEGERS or (number == 0 and found.is_clock)
        bounded = max_error is not None and not exempt
        if max_error is None or not bounded:
            plans.append(ColumnPlan(0.0, exempt))
            continue
        bound = max_error.of(found.extremes.range_without(sentinels))
        plans.append(ColumnPlan(bound, exempt, True, sentinels))
    return plans
