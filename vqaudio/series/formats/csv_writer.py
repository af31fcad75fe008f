"""Tables to CSV, as the CSV file was written that they come from, if any."""

from __future__ import annotations

from typing import IO

from vqaudio.errors import SeriesError
from vqaudio.series.cell_style import render_cells
from vqaudio.series.formats.csv_lines import lines_of
from vqaudio.series.table import Table, is_binary

BOM = b"\xef\xbb\xbf"


def write(table: Table, file: IO[bytes], *, name: str) -> None:
    """Write a table as CSV, as the CSV file was written that it comes from, if any.

    Raises:
        SeriesError: bytes, or text that UTF-8 has not.
    """
    for column in table.columns:
        if is_binary(column.dtype):
            raise SeriesError(f"{name}: column {column.name!r} holds {column.dtype}, which CSV cannot; write .parquet")
    names = [column.name for column in table.columns] if table.origin.get("header", True) else None
    try:
        if table.origin.get("bom", False):
            file.write(BOM)
        for lines in lines_of([render_cells(column) for column in table.columns], table.origin, names=names):
            file.write(lines)
    except UnicodeEncodeError:
        raise SeriesError(f"{name}: the table holds text that is not Unicode, which CSV cannot; write .npz") from None
