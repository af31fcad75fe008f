"""What is gathered of a whole table before its first chunk is written: ranges, and whether its first column is a clock.

A table that is larger than memory is gone through twice for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.encodings.bounds import MaxError
from vqaudio.series.table import FLOATS, INTEGERS, Column, Table

CLOCK_NAMES = {"t", "time", "date", "datetime", "timestamp", "seconds", "index"}
FEWEST_TICKS = 3


@dataclass(frozen=True)
class ColumnPlan:
    """What holds for all rows of a column.

    Args:
        bound: how far decoded values may be off; 0 for not at all.
        exempt: whether it is exact whatever bound is asked for, by its bits if need be.
        bounded: whether a bound was asked for.
    """

    bound: float = 0.0
    exempt: bool = False
    bounded: bool = False


class ColumnRange:
    """Least and greatest value of a column, and whether it rises as a clock does, piece by piece."""

    def __init__(self, column: Column):
        self.name, self.dtype = column.name, column.dtype
        self._ends: NDArray[Any] = np.zeros(0, column.values.dtype)
        self._count, self._latest = 0, 0.0
        self._steps, self._largest = (np.inf, -np.inf), 0.0

    def add(self, column: Column) -> None:
        """The next rows."""
        known = column.values[column.known]
        if column.dtype in FLOATS:
            known = known[np.isfinite(known)]
        if not len(known):
            return
        ends = np.concatenate([self._ends, known[[0]], known[[0]]]) if not self._count else self._ends
        self._ends = np.array([min(ends[0], known.min()), max(ends[-1], known.max())], known.dtype)
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
    def ends(self) -> NDArray[Any]:
        """Least and greatest, ``(2,)`` in the column's type; none of a column without values."""
        return self._ends

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
    for number, found in enumerate(ranges):
        exempt = found.dtype not in FLOATS + INTEGERS or (number == 0 and found.is_clock)
        bounded = max_error is not None and not exempt
        bound = max_error.of(found.ends) if max_error is not None and bounded else 0.0
        plans.append(ColumnPlan(bound, exempt, bounded))
    return plans
