"""CSV: read by Arrow, once for types and once for how the cells are written; written by Python's ``csv``."""

from __future__ import annotations

import csv
import io
from typing import IO, Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from vqaudio.errors import SeriesError
from vqaudio.series.arrow import first_line, from_arrow
from vqaudio.series.table import Table
from vqaudio.series.text import rendered

DELIMITERS = ",;\t|"


def read(file: IO[bytes], name: str) -> Table:
    """A CSV file in UTF-8 whose first line may name the columns; the delimiter is the likeliest in that line.

    Raises:
        SeriesError: lines of unequal length, other encodings, types that are no column's.
    """
    data = file.read()
    first = data.partition(b"\n")[0]
    try:
        line = first.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SeriesError(f"{name}: is not text in UTF-8; save it as CSV in UTF-8") from None
    delimiter = max(DELIMITERS, key=line.count)
    titles = next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
    header = not all(map(_is_number, titles))
    typed = _parsed(data, name, delimiter, header)
    names = titles if header else [str(number) for number in range(typed.num_columns)]
    if len(names) != typed.num_columns:
        raise SeriesError(f"{name}: {typed.num_columns} columns under {len(names)} names; give each column one")
    written = _parsed(data, name, delimiter, header, dict.fromkeys(typed.column_names, pa.string()))
    columns = []
    for title, values, texts in zip(names, typed.columns, written.columns, strict=True):
        column = from_arrow(title, values, None, name)
        column.texts = texts.to_pylist
        columns.append(column)
    newline = "\r\n" if first.endswith(b"\r") else "\n"
    return Table(columns, {"suffix": ".csv", "delimiter": delimiter, "header": header, "newline": newline})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parsed(data: bytes, name: str, delimiter: str, header: bool, types: dict[str, Any] | None = None) -> Any:
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(data),
            # One block, so that all cells of a column have a say in its type.
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=min(len(data) + 1, 2**31 - 1),
                skip_rows=int(header),
                autogenerate_column_names=True,
            ),
            arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(column_types=types),
        )
    except pa.ArrowException as error:
        raise SeriesError(f"{name}: cannot be read as CSV ({first_line(error)})") from None


def write(table: Table, file: IO[bytes]) -> None:
    """Write a table as CSV, with the delimiter and the line ends of the CSV file that it comes from, if any."""
    origin = table.origin
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=origin.get("delimiter", ","), lineterminator=origin.get("newline", "\n"))
    if origin.get("header", True):
        writer.writerow([column.name for column in table.columns])
    writer.writerows(zip(*map(rendered, table.columns), strict=True))
    text.flush()
    text.detach()
