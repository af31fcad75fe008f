"""Which reader and writer of pieces a suffix has."""

from __future__ import annotations

from typing import IO

from vqaudio.series.formats.base import TableReader, TableWriter, WholeTableReader
from vqaudio.series.formats.suffixes import has_arrow, read_table, write_table
from vqaudio.series.pieces import joined
from vqaudio.series.table import Table


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
    """The table in an open file, to be read in pieces; arguments and errors are those of :func:`read_table`."""
    if suffix == ".csv" and has_arrow():
        from vqaudio.series.formats.csv_reader import CsvReader  # late, as below: Arrow takes a while to import

        return CsvReader(file, name, delimiter=delimiter, decimal=decimal)
    if suffix == ".parquet" and has_arrow() and not (delimiter or decimal):
        from vqaudio.series.formats.parquet import ParquetReader

        return ParquetReader(file, name)
    return WholeTableReader(read_table(file, name, suffix=suffix, delimiter=delimiter, decimal=decimal), name)


def create_table(
    file: IO[bytes], name: str, *, suffix: str, n_rows: int | None = None, has_gaps: bool = False
) -> TableWriter:
    """What writes a table in pieces.

    Args:
        file: an open one, which need not seek.
        name: of it, for errors.
        suffix: one of ``SUFFIXES``.
        n_rows: that will be written, where it is known.
        has_gaps: whether rows are lost, which come as gaps.

    Raises:
        SeriesError: as :func:`write_table`.
    """
    if suffix == ".csv" and has_arrow():
        from vqaudio.series.formats.csv_writer import CsvWriter

        return CsvWriter(file, name)
    if suffix == ".parquet" and has_arrow():
        from vqaudio.series.formats.parquet import ParquetWriter

        return ParquetWriter(file, name, has_gaps=has_gaps)
    return WholeTableWriter(file, name, suffix)
