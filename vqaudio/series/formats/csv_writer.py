"""Tables to CSV, as the CSV file was written that they come from, if any."""

from __future__ import annotations

from typing import IO

from vqaudio.errors import SeriesError
from vqaudio.series.cell_style import render_cells
from vqaudio.series.formats.base import TableWriter
from vqaudio.series.formats.csv_lines import lines_of
from vqaudio.series.formats.csv_source import BOM
from vqaudio.series.table import Table, is_binary


class CsvWriter(TableWriter):
    """A CSV file, written piece by piece.

    Args:
        file: an open one.
        name: of it, for errors.
    """

    def __init__(self, file: IO[bytes], name: str):
        self._file, self._name, self._has_begun = file, name, False

    def write(self, piece: Table) -> None:
        """See :meth:`TableWriter.write`; refused are bytes, and text that UTF-8 has not."""
        names = None
        if not self._has_begun:
            self._refuse_binary(piece)
            self._has_begun = True
            names = [column.name for column in piece.columns] if piece.origin.get("header", True) else None
            if piece.origin.get("bom", False):
                self._file.write(BOM)
        try:
            for lines in lines_of([render_cells(column) for column in piece.columns], piece.origin, names=names):
                self._file.write(lines)
        except UnicodeEncodeError:
            raise SeriesError(
                f"{self._name}: the table holds text that is not Unicode, which CSV cannot; write .npz"
            ) from None

    def _refuse_binary(self, piece: Table) -> None:
        for column in piece.columns:
            if is_binary(column.dtype):
                raise SeriesError(
                    f"{self._name}: column {column.name!r} holds {column.dtype}, which CSV cannot; write .parquet"
                )

    def finish(self) -> None:
        """See :meth:`TableWriter.finish`: nothing."""
