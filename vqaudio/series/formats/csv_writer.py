"""Tables to CSV, as the CSV file was written that they come from, if any."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from vqaudio.errors import SeriesError
from vqaudio.series.cell_style import render_cells
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
    names = [[column.name] if table.origin.get("header", True) else [] for column in table.columns]
    cells = [first + render_cells(column) for first, column in zip(names, table.columns, strict=True)]
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        if table.origin.get("bom", False):
            text.write(BOM.decode())
        text.writelines(lines_of(cells, table.origin))
        text.flush()
    except UnicodeEncodeError:
        raise SeriesError(f"{name}: the table holds text that is not Unicode, which CSV cannot; write .npz") from None
    finally:
        text.detach()


def lines_of(columns: Sequence[Sequence[str]], origin: Mapping[str, Any]) -> Iterator[str]:
    """Cells of columns, their names first if they have such, as lines."""
    delimiter, newline = origin.get("delimiter", ","), origin.get("newline", "\n")
    special = re.compile(f'[{re.escape(delimiter)}"\r\n]')
    has_names = origin.get("header", True)
    quotes = origin.get("quotes", {"names": [], "columns": []})
    names, always = set(quotes["names"]), set(quotes["columns"])
    empty = "" if len(columns) > 1 or origin.get("bare", False) else '""'

    def quoted(text: str, always: bool) -> str:
        return '"' + text.replace('"', '""') + '"' if always or special.search(text) else text or empty

    made = []
    for number, texts in enumerate(columns):
        first = [quoted(texts[0], number in names)] if has_names else []
        rest = texts[len(first) :]
        if number in always or empty or special.search("\0".join(rest)):
            rest = [quoted(text, number in always) for text in rest]
        made.append([*first, *rest])
    blank = iter(origin.get("blank_lines", ()))
    ahead, n_lines = next(blank, None), len(columns[0])
    for number, cells in enumerate(zip(*made, strict=True)):
        while ahead == 0:
            yield newline
            ahead = next(blank, None)
        is_last = number == n_lines - 1 and not origin.get("ends", True)
        yield delimiter.join(cells) + ("" if is_last and ahead is None else newline)
        ahead = None if ahead is None else ahead - 1
    if ahead is not None:
        yield newline * (1 + len(list(blank)))
