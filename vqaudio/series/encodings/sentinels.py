"""Sentinels: numbers that stand for "no value" in a column, such as -200, 999, 9999 or 99.0.

A value is taken for one where all of this holds, so that few others ever are:

- it is the least or the greatest of its column, and occurs three times or more;
- it is written in nines (99, 999.9), or is negative and a round hundred or thousand (-200), or is the first or the last
  of its type (-32768), or a power of ten from 10**20 on;
- the other values are 16 or more different ones (in the first thousand rows), and their range fits between it and the
  nearest of them; or, where another column of the table has the same sentinel by this rule, a sixteenth of it.

Sentinels are exact whatever bound there is, no part of the range of which a bound may be a share, and do not get in the
way of predictions: numbers go on from the row before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_COUNT = 3
LEAST_DISTINCT = 16
SAMPLE_ROWS = 1000
SHARE_ELSEWHERE = 16
"""Of the range of the other values, the part that must lie beside a value that is a sentinel of another column."""
_CODE = re.compile(r"-?9{2,}(\.9+)?|-[1-9]0{2,}|-?1e\+?[0-9]+")
_LEAST_POWER = 1e20

Number = int | float


class Extremes:
    """The two least and the two greatest values of a column, piece by piece, and how often the outer ones occur."""

    def __init__(self, dtype: str) -> None:
        self._dtype = np.dtype(dtype)
        self._ends: list[tuple[Number, int, Number | None] | None] = [None, None]
        self._some: set[Number] = set()

    def add(self, values: NDArray[Any]) -> None:
        """The next values; none of them is NaN or infinite."""
        if not len(values):
            return
        if len(self._some) <= LEAST_DISTINCT:
            self._some.update(np.unique(values[:SAMPLE_ROWS])[: 2 * LEAST_DISTINCT].tolist())
        for side, best in enumerate((min, max)):
            outer = values.min() if best is min else values.max()
            is_outer = values == outer
            count = int(np.count_nonzero(is_outer))
            rest = values[~is_outer]
            second = None if not len(rest) else (rest.min() if best is min else rest.max()).item()
            found, known = (outer.item(), count, second), self._ends[side]
            self._ends[side] = found if known is None else self._joined(known, found, best)

    @staticmethod
    def _joined(one: Any, other: Any, best: Any) -> tuple[Number, int, Number | None]:
        outer = best(one[0], other[0])
        count = sum(end[1] for end in (one, other) if end[0] == outer)
        others = [value for end in (one, other) for value in (end[0], end[2]) if value is not None and value != outer]
        return outer, count, best(others) if others else None

    def sentinels(self, *, elsewhere: Sequence[Number] = ()) -> tuple[Number, ...]:
        """The sentinels among them, where ``elsewhere`` are those of other columns."""
        if None in self._ends or len(self._some) < LEAST_DISTINCT:
            return ()
        ends = [end for end in self._ends if end is not None]
        inner = [second if self._is_code(outer) and count >= LEAST_COUNT else outer for outer, count, second in ends]
        low, high = inner
        if low is None or high is None:
            return ()
        width = float(high) - float(low)
        found = []
        for (outer, _, _), nearest in zip(ends, (low, high), strict=True):
            distance = abs(float(outer) - float(nearest))
            if width > 0 and (distance >= width or (outer in elsewhere and distance >= width / SHARE_ELSEWHERE)):
                found.append(outer)
        return tuple(found)

    def _is_code(self, value: Number) -> bool:
        if self._dtype.kind in "iu":
            limits = np.iinfo(self._dtype)
            if value == limits.max or (value == limits.min and value < 0):
                return True
        text = repr(value).removesuffix(".0")
        return _CODE.fullmatch(text) is not None and ("e" not in text or abs(value) >= _LEAST_POWER)

    def range_without(self, sentinels: Sequence[Number]) -> NDArray[Any]:
        """Least and greatest of the other values, ``(2,)`` in the column's type; none of a column without values."""
        ends = [end[2] if end[0] in sentinels else end[0] for end in self._ends if end is not None]
        return np.array(ends, self._dtype)


def find_sentinels(columns: Sequence[Extremes | None]) -> list[tuple[Number, ...]]:
    """The sentinels of each column of a table; None stands for a column that has none."""
    by_themselves = {value for column in columns if column is not None for value in column.sentinels()}
    return [() if column is None else column.sentinels(elsewhere=tuple(by_themselves)) for column in columns]
