"""Files of tables in pieces: what a format's reader and writer offer, and how a suffix finds them.

A piece is a :class:`vqaudio.series.table.Table` of some rows. All pieces of a file have the same columns, of the same
types; texts and styles are those of the piece's rows, and so are ``blank_lines`` and ``ends`` in its ``origin``: the
lines of a CSV are counted from the piece's first row (in the first piece, from the line of names), and blank lines
between two pieces belong to the later one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import IO, Self

from vqaudio.series.formats.suffixes import read_table, write_table
from vqaudio.series.pieces import cut, joined
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


class WholeTableReader(TableReader):
    """A table that is in memory."""

    def __init__(self, table: Table, name: str):
        self.table, self.name = table, name
        self.origin, self.n_rows, self.remarks = table.origin, table.n_rows, table.remarks

    def pieces(self, rows: int) -> Iterator[Table]:
        for start in range(0, max(1, self.table.n_rows), rows):
            yield cut(self.table, start, start + rows)


class WholeTableWriter(TableWriter):
    """Collects all pieces, and writes them as one."""

    def __init__(self, file: IO[bytes], name: str, suffix: str):
        self._file, self._name, self._suffix = file, name, suffix
        self._pieces: list[Table] = []

    def write(self, piece: Table) -> None:
        self._pieces.append(piece)

    def finish(self) -> None:
        write_table(joined(self._pieces), self._file, name=self._name, suffix=self._suffix)


def open_table(
    file: IO[bytes], name: str, *, suffix: str, delimiter: str | None = None, decimal: str | None = None
) -> TableReader:
    """The table in an open file, to be read in pieces; arguments and errors are those of
    :func:`vqaudio.series.formats.suffixes.read_table`.
    """
    return WholeTableReader(read_table(file, name, suffix=suffix, delimiter=delimiter, decimal=decimal), name)


def create_table(file: IO[bytes], name: str, *, suffix: str, n_rows: int | None = None) -> TableWriter:
    """What writes a table in pieces.

    Args:
        file: an open one, which need not seek.
        name: of it, for errors.
        suffix: one of :data:`vqaudio.series.formats.suffixes.SUFFIXES`.
        n_rows: that will be written, where it is known.

    Raises:
        SeriesError: as :func:`vqaudio.series.formats.suffixes.write_table`.
    """
    return WholeTableWriter(file, name, suffix)
