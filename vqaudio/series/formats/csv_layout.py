"""Whether the lines of a CSV are written again as they stood: quotes, blank lines and line ends, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vqaudio.series.formats.csv_lines import lines_of
from vqaudio.series.formats.csv_source import CsvSource

NEVER_QUOTED = ("NA", "")
"""What some writers leave without quotes among cells that all have them: R does for gaps."""
MOST_BLANK_LINES = 1 << 22
"""Where there are more, they do not come back."""


def candidate_layouts(source: CsvSource, *, header: bool) -> Iterator[dict[str, Any]]:
    """What an ``origin`` may hold beside, so that all lines are written as they stood."""
    above, below = ([at for at, flag in enumerate(row) if flag] for row in (source.quoted[0], source.quoted[-1]))
    quoted = {"names": above if header else [], "columns": below}
    all_quotes: list[dict[str, Any]] = [{}]
    if source.survey.has_quotes:
        all_quotes += [{"quotes": quoted}, *({"quotes": quoted | {"but": [text]}} for text in NEVER_QUOTED)]
    for quotes in all_quotes:
        for bare in ({}, {"bare": True}) if len(source.names) == 1 else ({},):
            yield quotes | bare


class LayoutCheck:
    """Compares lines written anew with those of the file.

    Args:
        source: the file.
        origin: how lines are written.
        names: of the columns, where the first line holds them.

    Attributes:
        places: before which lines with cells blank lines stand, an array for each block.
    """

    def __init__(self, source: CsvSource, origin: Mapping[str, Any], names: Sequence[str] | None):
        self._origin, self._names, self._ends = origin, names, source.survey.ends
        self._window, self._n_lines, self._n_blank = source.window(), 0, 0
        self.places = [np.zeros(source.survey.n_blank, np.int64)]

    def rows(self, columns: Sequence[Any], *, is_last: bool, with_blank: bool) -> tuple[Sequence[Any], bytes] | None:
        """The rows of some lines, and these as bytes, without that of names; None where they stood otherwise.

        Args:
            columns: Arrow arrays of strings; blank lines may be rows of empty ones.
            is_last: whether no lines follow.
            with_blank: whether there may be blank lines.
        """
        n_names = int(self._names is not None)
        empty = _empty_rows(columns) if with_blank else np.zeros(0, bool)
        for are_blank in (True, False) if empty.any() else (False,):
            kept, places = columns, np.zeros(0, np.int64)
            if are_blank:
                kept = [column.filter(pa.array(~empty)) for column in columns]
                places = (np.cumsum(~empty) + n_names)[empty]
            lines = self._as_they_stand(kept, places, is_last)
            if lines is not None:
                self.places.append(self._n_lines + places)
                self._n_lines += len(kept[0]) + n_names
                self._n_blank += len(places)
                self._names = None
                return None if self._n_blank > MOST_BLANK_LINES else (kept, b"".join(lines[n_names:]))
        return None

    def _as_they_stand(self, columns: Sequence[Any], places: NDArray[np.int64], is_last: bool) -> list[bytes] | None:
        """The lines of some rows, if the file goes on with them."""
        start, lines = self._window.position, []
        blank = np.diff(places, prepend=0).tolist()
        origin = {**self._origin, "ends": self._ends or not is_last, "blank_lines": blank}
        for some in lines_of(columns, origin, names=self._names):
            lines.append(bytes(some))
            if self._window.read(len(some)) != lines[-1]:
                break
        else:
            if not is_last or not self._window.read(1):
                return lines
        self._window.position = start
        return None


def _empty_rows(columns: Sequence[Any]) -> NDArray[np.bool_]:
    """Which rows have nothing in any cell."""
    empty = np.ones(len(columns[0]), bool)
    for column in columns:
        if not empty.any():
            break
        empty &= pc.equal(column, "").to_numpy(zero_copy_only=False)
    return empty
