"""Files of tables in pieces: what a format's reader and writer offer.

A piece is a :class:`vqaudio.series.table.Table` of some rows. All pieces of a file have the same columns, of the same
types; texts and styles are those of the piece's rows, and so are ``blank_lines`` and ``ends`` in its ``origin``: the
lines of a CSV are counted from the piece's first row (in the first piece, from the line of names), and blank lines
between two pieces belong to the later one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

from vqaudio.series.pieces import cut
from vqaudio.series.table import Table


class TableReader(ABC):
    """The table in a file, which can be gone through as often as need be.

    Attributes:
        name: of the file, for errors.
        origin: what restores the file, but for what pieces say themselves.
        n_rows: of the file; None where that is not known before all of it was read.
        remarks: sentences for whoever brought the table, complete once all pieces were read.
    """

    name: str
    origin: dict[str, object]
    n_rows: int | None
    remarks: list[str]

    @abstractmethod
    def pieces(self, rows: int) -> Iterator[Table]:
        """All rows in order, ``rows`` of them in each piece but the last, which may have fewer.

        Raises:
            SeriesError: what is read now cannot be read, or holds what no column may.
        """


class TableWriter(ABC):
    """A file of a table that is written in pieces. A context manager; the file is whole once it ends well."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()

    @abstractmethod
    def write(self, piece: Table) -> None:
        """The next rows.

        Raises:
            SeriesError: cells that the format cannot hold.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write what stands behind the last row.

        Raises:
            SeriesError: as :meth:`write`.
        """

    def abandon(self) -> None:  # noqa: B027 - most have nothing to do
        """Leave the file as it is, after an error."""


class WholeTableReader(TableReader):
    """A table that is in memory."""

    def __init__(self, table: Table, name: str):
        self.table, self.name = table, name
        self.origin, self.n_rows, self.remarks = table.origin, table.n_rows, table.remarks

    def pieces(self, rows: int) -> Iterator[Table]:
        for start in range(0, max(1, self.table.n_rows), rows):
            yield cut(self.table, start, start + rows)
