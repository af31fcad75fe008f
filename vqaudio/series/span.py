"""Some rows of a table in a file: from one number or time to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import SeriesError
from vqaudio.series import trailer
from vqaudio.series.layout import Layout, Place
from vqaudio.series.pieces import cut, joined
from vqaudio.series.table import Table

Edge = int | str | np.datetime64 | None
"""The number of a row, counted from 0; a time, as text (``2016-07-01T12:00``) or numpy's; or None."""
_UNITS = {"date32": "D", "date64": "ms"}
_LIMITS = (-(2**63), 2**63 - 1)


class Stored(Protocol):
    """What a span asks of a table in a file: :class:`vqaudio.series.stored.StoredTable`."""

    name: str
    layout: Layout


@dataclass(frozen=True)
class RowSpan:
    """Rows from ``start`` on, up to ``end`` and without it.

    Times are looked up in the table's first column of dates or time stamps; rows without one are in no span of times.

    Raises:
        SeriesError: a text that is no time, or a row and a time together.
    """

    start: Edge = None
    end: Edge = None

    def __post_init__(self) -> None:
        for edge in (self.start, self.end):
            if isinstance(edge, str):
                _time(edge, "ns")
        if self.is_by_row and self.is_by_time:
            raise SeriesError(f"from {self.start} to {self.end}: expected the numbers of two rows, or two times")

    @property
    def is_by_time(self) -> bool:
        """Whether an edge is a time."""
        return any(isinstance(edge, str | np.datetime64) for edge in (self.start, self.end))

    @property
    def is_by_row(self) -> bool:
        """Whether an edge is a row."""
        return any(isinstance(edge, int) for edge in (self.start, self.end))

    def places(self, stored: Stored) -> list[Place]:
        """The chunks that may hold such rows.

        Raises:
            SeriesError: there is no column of times, or no such row.
        """
        places = stored.layout.places
        if self.is_by_time:
            low, high = self._times(stored)
            if stored.layout.clock is None:
                return places
            return [place for place in places if place.times and place.times[0] < high and place.times[1] >= low]
        start, stop = self._rows(stored)
        found = [place for place in places if place.rows.start < stop and place.rows.stop > start]
        if not found:
            raise self.holds_nothing(stored)
        return found

    def n_rows(self, stored: Stored) -> int | None:
        """How many rows are in it; None where that is not known before they are decoded."""
        if self.is_by_time:
            return None
        start, stop = self._rows(stored)
        return max(0, min(stop, stored.layout.n_rows) - start)

    def cut(self, piece: Table, place: Place, stored: Stored) -> Table:
        """The rows of a chunk that are in it."""
        if self.is_by_time:
            low, high = self._times(stored)
            column = piece.columns[_clock(stored)]
            rows = np.flatnonzero(column.known & (column.values >= low) & (column.values < high))
            if not len(rows):
                return cut(piece, 0, 0)
            if rows[-1] - rows[0] + 1 == len(rows):
                return cut(piece, int(rows[0]), int(rows[-1]) + 1)
            return _picked(piece, rows)
        start, stop = self._rows(stored)
        return cut(piece, max(0, start - place.rows.start), max(0, stop - place.rows.start))

    def holds_nothing(self, stored: Stored) -> SeriesError:
        """What is said of a span without rows."""
        if self.is_by_time:
            return SeriesError(f"{stored.name}: has no rows from {self.start} to {self.end}: expected START < END")
        start = (self.start or 0) if isinstance(self.start, int) else 0
        return SeriesError(
            f"{stored.name}: has {stored.layout.n_rows} rows, and none of those from {start + 1} to {self.end}"
        )

    def _rows(self, stored: Stored) -> tuple[int, int]:
        start = self.start if isinstance(self.start, int) else 0
        return start, self.end if isinstance(self.end, int) else stored.layout.n_rows

    def _times(self, stored: Stored) -> tuple[int, int]:
        """Both edges in the unit of the column of times."""
        dtype = stored.layout.columns[_clock(stored)].dtype
        unit = _UNITS.get(dtype) or dtype.removeprefix("timestamp[").removesuffix("]")
        low, high = (
            limit if edge is None else _time(edge, unit)
            for edge, limit in zip((self.start, self.end), _LIMITS, strict=True)
        )
        return low, high


def _clock(stored: Stored) -> int:
    found = trailer.clock_of(column.dtype for column in stored.layout.columns)
    if found is None:
        raise SeriesError(f"{stored.name}: has no column of dates or time stamps; give the numbers of rows")
    return found


def _time(edge: Edge, unit: str) -> int:
    """The first time of a unit that does not come before ``edge``."""
    try:
        exact = np.datetime64(str(edge))
        if np.isnat(exact):
            raise ValueError("no time")
        found = exact.astype(f"datetime64[{unit}]")
        later = found if found >= exact else found + np.timedelta64(1, cast(Any, unit))
        return int(later.astype(np.int64))
    except (ValueError, OverflowError) as error:
        raise SeriesError(
            f"{edge}: is no time ({error}); expected one like 2016-07-01T12:00, or a row's number"
        ) from None


def _picked(piece: Table, rows: NDArray[np.int64]) -> Table:
    """Some rows that do not stand together, as one piece: cells that are kept as they stood go with them."""
    edges = np.flatnonzero(np.diff(rows) != 1) + 1
    return joined([cut(piece, int(run[0]), int(run[-1]) + 1) for run in np.split(rows, edges)])
