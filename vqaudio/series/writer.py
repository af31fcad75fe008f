"""Tables to ``.vq`` files, chunk by chunk; each chunk is decoded again and compared before the next begins."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import IO

import numpy as np

from vqaudio.errors import SeriesError
from vqaudio.series.chunk_writer import ChunkWriter, NoStyleError, WritingOptions
from vqaudio.series.coding.model import Model
from vqaudio.series.encodings.aim import aim
from vqaudio.series.encodings.bounds import Bounds, ColumnBound
from vqaudio.series.encodings.survey import ColumnPlan, plan, survey
from vqaudio.series.formats.base import TableReader, WholeTableReader
from vqaudio.series.header import FEWEST_CHUNK_ROWS
from vqaudio.series.stored import Progress
from vqaudio.series.table import FLOATS, VALUE, Column, Table

MOST_NAMED = 10
"""Columns that a sentence names."""
CHUNK_ROWS, CHUNK_CELLS = 1 << 18, 1 << 20
"""Rows and cells of a chunk: so many that learning what they are like pays, and that memory is bounded."""


@dataclass(frozen=True)
class Written:
    """What was written: rows, columns, bytes, sentences for whoever brought the table, and ratios that were reached."""

    n_rows: int
    n_columns: int
    size: int
    remarks: list[str]
    reached: list[str] = field(default_factory=list)


def compress(
    table: Table | TableReader,
    max_error: Bounds | ColumnBound | None = None,
    *,
    lossless: bool = False,
    independent: bool = False,
    model: Model | None = None,
    mixing: bool = True,
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
        table: in memory, or read in pieces.
        max_error, lossless, independent, model, mixing: as of :class:`WritingOptions`.
        name: of the file, for errors.
        progress: told how many rows were done.

    Raises:
        SeriesError: infinity, floats that need one of the two options, or a table without cells.
    """
    reader = WholeTableReader(table, name) if isinstance(table, Table) else table
    file = io.BytesIO()
    options = WritingOptions(max_error, lossless, independent, model, mixing)
    remarks = write(reader, file, options, progress=progress).remarks
    if isinstance(table, Table):
        table.remarks[:] = remarks
    return file.getvalue()


def write(
    reader: TableReader, file: IO[bytes], options: WritingOptions, *, progress: Progress = lambda rows: None
) -> Written:
    """Write a table into an open file, of which it begins at the start; see :func:`compress`.

    Where the text of some column fits no style, the file is begun again with that column as text.
    """
    texts: set[int] = set()
    while True:
        file.seek(0)
        file.truncate()
        try:
            return _Writing(reader, file, options, texts).run(progress)
        except NoStyleError as columns:
            texts |= columns.numbers


def chunk_rows_for(n_columns: int) -> int:
    """Rows of a chunk of a table with so many columns."""
    return max(FEWEST_CHUNK_ROWS, min(CHUNK_ROWS, CHUNK_CELLS // max(1, n_columns)))


class _Writing:
    """One attempt to write a file; the columns whose numbers are ``texts`` are stored as text."""

    def __init__(self, reader: TableReader, file: IO[bytes], options: WritingOptions, texts: set[int]):
        self._reader, self._file, self._options, self._texts = reader, file, options, texts

    def run(self, progress: Progress) -> Written:
        name = self._reader.name
        first = next(self._pieces(1), None)
        if first is None or not first.n_rows:
            raise SeriesError(f"{name}: holds no rows; expected one or more")
        rows = chunk_rows_for(len(first.columns))
        asked = self._options.max_error
        bounds = None if asked is None else Bounds.given(asked)
        has_odd_clock = first.columns[0].dtype in FLOATS and not self._options.lossless
        is_surveyed = bounds is not None or has_odd_clock
        ranges = survey(self._pieces(rows) if is_surveyed else [first], all_columns=bounds is not None)
        plans, reached = aim(lambda: self._pieces(rows), plan(ranges, bounds, name=name), [one.name for one in ranges])
        chunks = ChunkWriter(self._file, first, plans, self._options, name)
        for piece in self._pieces(rows):
            chunks.add(piece)
            progress(piece.n_rows)
        chunks.finish()
        remarks = [*self._reader.remarks]
        remarks += _exemptions(first.columns, plans)
        return Written(chunks.n_rows, len(plans), chunks.size, remarks, reached)

    def _pieces(self, rows: int) -> Iterator[Table]:
        for piece in self._reader.pieces(rows):
            columns = [
                as_text(column) if number in self._texts else in_one_style(column)
                for number, column in enumerate(piece.columns)
            ]
            yield Table(columns, piece.origin, piece.remarks)


def as_text(column: Column) -> Column:
    """A column of what stood in its cells."""
    assert column.texts is not None
    texts = np.array(column.texts, object)
    return replace(column, dtype="string", values=texts, cells=np.full_like(column.cells, VALUE), style={}, zone="")


def in_one_style(column: Column) -> Column:
    """A column that has one style, or the text in which one is found."""
    if not column.parts:
        return replace(column)
    if len(column.parts) == 1:
        return replace(column, style=column.parts[0][1], parts=())
    from vqaudio.series.cell_style import render_cells  # late: Arrow takes a while to import

    return replace(column, texts=render_cells(column) if column.texts is None else column.texts, parts=())


def _exemptions(columns: Sequence[Column], plans: Sequence[ColumnPlan]) -> Iterator[str]:
    """The sentence that names the columns that a bound does not reach, if there are any."""
    both = zip(columns, plans, strict=True)
    exempt = [(column, plan.asked) for column, plan in both if plan.exempt and plan.asked is not None]
    if exempt:
        named = [(column, column.dtype) for column, _ in exempt]
        yield (
            f"{exempt[0][1].option} does not reach {len(exempt)} of {len(columns)} columns, which stay exact: "
            f"{_listed(named)}"
        )
    marked = [
        (column, ", ".join(map(str, plan.sentinels)))
        for column, plan in zip(columns, plans, strict=True)
        if plan.sentinels
    ]
    if marked:
        yield (
            f"{len(marked)} of {len(columns)} columns hold values that seem to stand for none: they stay exact and are "
            f"no part of a range: {_listed(marked)}"
        )


def _listed(columns: Sequence[tuple[Column, str]]) -> str:
    """The first columns by their names, each with what is to be said of it, and how many there are beside."""
    named = [f"{column.name!r} ({what})" for column, what in columns[:MOST_NAMED]]
    more = f" and {len(columns) - MOST_NAMED} more" if len(columns) > MOST_NAMED else ""
    return ", ".join(named) + more
