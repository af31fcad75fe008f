"""CSV to tables: read by Arrow, once for how the cells are written and once for their types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from vqaudio.errors import SeriesError
from vqaudio.series.formats import csv_dialect
from vqaudio.series.formats.arrow import first_line, from_arrow
from vqaudio.series.formats.csv_lines import lines_of
from vqaudio.series.formats.csv_writer import BOM
from vqaudio.series.formats.text_types import typed_column
from vqaudio.series.table import Column, Table

INEXACT = 2.0**53
"""Beyond, floats do not hold all integers."""
NULL_WORDS = pa.array(arrow_csv.ConvertOptions().null_values)
"""What Arrow takes for a gap among numbers and times."""

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")


class _Parser:
    """Arrow's, on the whole of a file as one block, so that all cells of a column have a say in its type."""

    def __init__(self, text: bytes, name: str, delimiter: str):
        self.name, self.delimiter, self.text = name, delimiter, text
        self._names = [f"f{number}" for number in range(len(csv_dialect.quoted_cells(text, delimiter, n_rows=1)[0]))]

    def written(self, with_blank: bool) -> Any:
        """All cells of all lines as they are written; blank lines have empty ones, or are passed over."""
        as_text = arrow_csv.ConvertOptions(column_types=dict.fromkeys(self._names, pa.string()))
        return self._parsed(as_text, with_blank, 0)

    def typed(self, decimal: str, with_blank: bool, n_skipped: int) -> Any:
        """Columns of the types that their cells suggest, without the first lines."""
        return self._parsed(arrow_csv.ConvertOptions(decimal_point=decimal), with_blank, n_skipped)

    def _parsed(self, conversion: Any, with_blank: bool, n_skipped: int) -> Any:
        uneven = []

        def refuse(row: Any) -> str:
            uneven.append(
                f"row {row.number} holds {row.actual_columns} cells, expected {row.expected_columns} as in the first; "
                f"is its delimiter {self.delimiter!r}? (--delimiter)"
            )
            return "error"

        try:
            return arrow_csv.read_csv(
                pa.BufferReader(self.text),
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=min(len(self.text) + 1, 2**31 - 1),
                    column_names=self._names,
                    skip_rows_after_names=n_skipped,
                ),
                arrow_csv.ParseOptions(
                    delimiter=self.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=not with_blank,
                    invalid_row_handler=refuse,
                ),
                conversion,
            )
        except pa.ArrowException as error:
            said = uneven[0] if uneven else first_line(error)
            raise SeriesError(f"{self.name}: cannot be read as CSV ({said})") from None


def read(file: IO[bytes], name: str, *, delimiter: str | None = None, decimal: str | None = None) -> Table:
    """A CSV file in UTF-8 whose first line may name the columns.

    Args:
        file: an open one.
        name: of it, for errors.
        delimiter: a character; None for the likeliest of comma, semicolon, tab and bar.
        decimal: the decimal point of its numbers; None for a comma where they cannot be read otherwise, else a point.

    Raises:
        SeriesError: an empty file, lines of unequal length, quotes that are not closed, another encoding.
    """
    data = file.read()
    body = data.removeprefix(BOM)
    text = body.lstrip(b"\r\n")
    before = len(body[: len(body) - len(text)].splitlines())
    if not text:
        raise SeriesError(f"{name}: is empty; expected rows of cells")
    if line := csv_dialect.undecodable_line(text):
        raise SeriesError(f"{name}: line {line + before} is not text in UTF-8; save it as CSV in UTF-8")
    delimiter = delimiter or csv_dialect.delimiter_of(text)
    if line := csv_dialect.unclosed_quote(text, delimiter):
        raise SeriesError(
            f'{name}: the quote (") that opens a cell in line {line + before} is never closed: close it, or double a '
            "quote that is part of a text"
        )
    parser = _Parser(text, name, delimiter)
    written = parser.written(with_blank=False)
    is_single = written.num_columns == 1
    blank = [0] * before
    if is_single:  # where a blank line is an empty cell
        written = parser.written(with_blank=True)
    elif _BLANK_LINE.search(text):
        blank += _blank_lines(parser.written(with_blank=True), written.num_rows)
    titles = [column[0].as_py() for column in written.columns]
    point = decimal or ("," if delimiter != "," else ".")
    header = not all(csv_dialect.is_number(title, point) for title in titles)
    names = titles if header else [str(number) for number in range(len(titles))]
    columns = _columns(parser, names, written.slice(int(header)), decimal, is_single, int(header))

    origin = {"suffix": ".csv", "delimiter": delimiter, "header": header, "newline": csv_dialect.line_end_of(text)}
    lines = [column.combine_chunks() for column in written.slice(int(header)).columns]
    extras = _extras(data, body, blank, origin, lines, titles if header else None)
    table = Table(columns, origin | (extras or {}))
    if extras is None:
        table.remarks.append("all cells come back, but not all quotes, blank lines and line ends around them")
    return table


def _blank_lines(written: Any, n_rows: int) -> list[int]:
    """How many lines stand between one blank line and the next; none where rows of empty cells look just so."""
    cells = zip(*(column.to_pylist() for column in written.columns), strict=True)
    places = [row for row, texts in enumerate(cells) if not any(texts)]
    if len(places) != written.num_rows - n_rows:
        return []
    kept = [place - number for number, place in enumerate(places)]
    return [later - earlier for earlier, later in pairwise([0, *kept])]


def _columns(
    parser: _Parser, names: list[str], written: Any, decimal: str | None, with_blank: bool, n_skipped: int
) -> list[Column]:
    point = decimal or "."
    typed = parser.typed(point, with_blank, n_skipped)
    if decimal is None and parser.delimiter != "," and _has_decimal_commas(typed, written):
        point = ","
        typed = parser.typed(point, with_blank, n_skipped)
    columns = []
    for name, values, texts in zip(names, typed.columns, written.columns, strict=True):
        column = typed_column(name, texts, point=point) if pa.types.is_string(values.type) else None
        if column is None:
            column = from_arrow(name, _integers(values, texts), file=parser.name)
            column.texts = texts.combine_chunks()
            column.style = {"point": point} if point == "," and column.dtype == "float64" else {}
        columns.append(column)
    return columns


def _has_decimal_commas(typed: Any, written: Any) -> bool:
    """Whether some texts are numbers with decimal commas and nothing else, and no number has a decimal point."""
    found = False
    for values, texts in zip(typed.columns, written.columns, strict=True):
        if pa.types.is_floating(values.type) and _any(pc.match_substring(texts, ".")):
            return False
        if pa.types.is_string(values.type) and _all_match(texts, csv_dialect.COMMA_NUMBER):
            found = found or _any(pc.match_substring_regex(texts, csv_dialect.DECIMAL_COMMA))
    return found


def _integers(values: Any, texts: Any) -> Any:
    """Integers that Arrow takes for floats as such: in 64 bits, or as they are written; other values as they are."""
    if not pa.types.is_floating(values.type) or not _any(pc.greater(pc.abs(values), INEXACT)):
        return values
    if not _all_match(texts, "^[+-]?[0-9]+$"):
        return values
    try:
        return pc.if_else(pc.is_in(texts, NULL_WORDS), pa.scalar(None, pa.string()), texts).cast(pa.uint64())
    except pa.ArrowInvalid:
        return texts


def _all_match(texts: Any, pattern: str) -> bool:
    """Whether all cells that hold something match."""
    return not _any(pc.invert(pc.or_(pc.match_substring_regex(texts, pattern), pc.is_in(texts, NULL_WORDS))))


def _any(flags: Any) -> bool:
    return bool(pc.any(flags, min_count=0).as_py())


# ------------------------------------------------------------------------------------------- quotes, blanks, line ends


def _extras(
    data: bytes, body: bytes, blank: list[int], origin: Mapping[str, Any], lines: Sequence[Any], names: list[str] | None
) -> dict[str, Any] | None:
    """What ``origin`` needs beside, so that all lines are written as they stood; None where nothing does it."""
    common: dict[str, Any] = {"bom": True} if len(body) < len(data) else {}
    if blank:
        common["blank_lines"] = blank
    if not body.endswith((b"\n", b"\r")):
        common["ends"] = False
    flags = csv_dialect.quoted_cells(body.lstrip(b"\r\n"), origin["delimiter"], n_rows=2)
    above, below = ([number for number, flag in enumerate(row) if flag] for row in (flags[0], flags[-1]))
    quoted = {"names": above if origin["header"] else [], "columns": below}
    for quotes in ({}, {"quotes": quoted}) if b'"' in body else ({},):
        for bare in ({}, {"bare": True}) if len(lines) == 1 else ({},):
            tried = common | quotes | bare
            if b"".join(map(bytes, lines_of(lines, {**origin, **tried}, names=names))) == body:
                return tried
    return None
