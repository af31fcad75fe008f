"""Tables to ``.vq`` files, which are decoded again and compared before they are handed out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vqaudio.errors import SeriesError
from vqaudio.series.chunk import ColumnChunk, encode_chunk
from vqaudio.series.coding.model import Model
from vqaudio.series.encodings import select
from vqaudio.series.encodings.base import EncodedColumn
from vqaudio.series.encodings.bounds import MaxError, distances, equal_bits, within
from vqaudio.series.header import TableHeader, chunk_rows_for, most_cells
from vqaudio.series.schema import describe
from vqaudio.series.stored import Progress, StoredTable
from vqaudio.series.table import FLOATS, Column, Table

NAME_SIZE = 32
"""Bytes that the name of a model takes in the header, at most."""
MOST_NAMED = 10
"""Columns that a sentence names."""
SHORT_CHUNK_ROWS = 256
"""Rows of a chunk where longer ones would take fewer bytes than readers believe; a column takes 4 or more of each."""


def compress(
    table: Table,
    max_error: MaxError | None = None,
    *,
    lossless: bool = False,
    independent: bool = False,
    model: Model | None = None,
    name: str = "the table",
    progress: Progress = lambda rows: None,
) -> bytes:
    """A table as a ``.vq`` file, decoded again and compared before it is returned.

    >>> import io
    >>> from vqaudio.series import MaxError, StoredTable, read_table
    >>> table = read_table(io.BytesIO(b"t,value\\n1,0.52\\n2,0.49\\n3,0.61\\n"), "t.csv", suffix=".csv")
    >>> data = compress(table, MaxError(0.05))
    >>> StoredTable(data).table().columns[1].values  # each within 0.05
    array([0.5, 0.5, 0.6])

    Args:
        table: its columns' styles are set.
        max_error: how far numbers may be off; None for not at all.
        lossless: keep floats to the bit that have no fixed number of digits, rather than refuse them.
        independent: predict no column from others, to see what that is worth.
        model: codes a column wherever it takes fewer bytes so; the file then names it, and cannot be read without it.
        name: of the file, for errors.
        progress: told how many rows were done.

    Raises:
        SeriesError: infinity, floats that need one of the two options, or a table without cells.
    """
    if not table.n_rows:
        raise SeriesError(f"{name}: holds no rows; expected one or more")
    columns = [
        select.encode(column, max_error, lossless=lossless, is_first=number == 0, name=name)
        for number, column in enumerate(table.columns)
    ]
    header = TableHeader(table.n_rows, chunk_rows_for(len(columns)), describe(table, columns))
    data = _file_of(table, columns, header, independent=independent, model=model, progress=progress)
    if table.n_cells > most_cells(len(data)):
        header = replace(header, chunk_rows=SHORT_CHUNK_ROWS)
        data = _file_of(table, columns, header, independent=independent, model=model, progress=progress)
    restored = StoredTable(data, name, model=model).table()
    _check(table, restored, columns, exact_text=max_error is None, name=name)
    if max_error is not None:
        table.remarks += _exemptions(table, columns)
    return data


def _file_of(
    table: Table,
    columns: Sequence[EncodedColumn],
    header: TableHeader,
    *,
    independent: bool,
    model: Model | None,
    progress: Progress,
) -> bytes:
    """The file with this header; it names the model if that saves more than its name takes."""
    chunked = [
        [
            ColumnChunk.of_rows(column, encoded, rows=header.rows_of(index))
            for column, encoded in zip(table.columns, columns, strict=True)
        ]
        for index in range(header.n_chunks)
    ]
    chunks, saved = _encode_chunks(chunked, independent=independent, model=model, progress=progress)
    if model is not None and saved > NAME_SIZE:
        header = replace(header, meta=header.meta | {"model": model.fingerprint})
    elif saved:
        chunks, _ = _encode_chunks(chunked, independent=independent, model=None, progress=lambda rows: None)
    return replace(header, sizes=[len(chunk) for chunk in chunks]).to_bytes() + b"".join(chunks)


def _encode_chunks(
    chunked: Sequence[Sequence[ColumnChunk]], *, independent: bool, model: Model | None, progress: Progress
) -> tuple[list[bytes], int]:
    """All chunks, and how many bytes the model saved."""
    chunks, all_saved = [], 0
    for index, columns in enumerate(chunked):
        chunk, saved = encode_chunk(index, columns, independent=independent, model=model)
        chunks.append(chunk)
        all_saved += saved
        progress(len(columns[0].numbers))
    return chunks, all_saved


def _check(table: Table, restored: Table, columns: Sequence[EncodedColumn], *, exact_text: bool, name: str) -> None:
    """Refuse to hand out a file that does not give back what it should."""
    for column, found, encoded in zip(table.columns, restored.columns, columns, strict=True):
        bound = encoded.bound
        good = column.name == found.name and np.array_equal(column.cells, found.cells)
        if bound and column.dtype in FLOATS:
            good = good and bool(within(column.values, found.values, bound=bound)[column.known].all())
        elif bound:
            good = good and int(distances(column.values, found.values).max()) <= bound
        else:
            values, restored_values = column.values[column.known], found.values[column.known]
            equal = equal_bits(values, restored_values) if column.dtype in FLOATS else values == restored_values
            good = good and bool(equal.all())
            if column.texts is not None and (exact_text or encoded.exempt):
                good = good and _comes_back(found, column.texts)
        if not good:
            raise SeriesError(f"{name}: column {column.name!r} does not come back as it should: please report this")


def _comes_back(column: Column, texts: Any) -> bool:
    """Whether a column's cells are written as they stood."""
    from vqaudio.series.cell_style import render_cells  # late: Arrow takes a while to import

    return bool(render_cells(column).equals(texts))


def _exemptions(table: Table, columns: Sequence[EncodedColumn]) -> Iterator[str]:
    """The sentence that names the columns that a bound does not reach, if there are any."""
    exempt = [column for column, encoded in zip(table.columns, columns, strict=True) if encoded.exempt]
    if exempt:
        named = [f"{column.name!r} ({column.dtype})" for column in exempt[:MOST_NAMED]]
        more = f" and {len(exempt) - MOST_NAMED} more" if len(exempt) > MOST_NAMED else ""
        yield (
            f"--max-error does not reach {len(exempt)} of {len(columns)} columns, which stay exact: "
            f"{', '.join(named)}{more}"
        )
