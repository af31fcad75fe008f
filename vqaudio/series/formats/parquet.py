"""Parquet files to tables and back, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from vqaudio.errors import SeriesError
from vqaudio.series.formats.arrow import first_line, from_arrow, rechunked
from vqaudio.series.formats.arrow_table import array_of, bytes_of, text_of
from vqaudio.series.formats.base import TableReader, TableWriter
from vqaudio.series.table import NULL, Column, Table

BUFFER_BYTES = 1 << 20
"""What is read of a column at once."""
BATCH_ROWS = 1 << 16


class ParquetReader(TableReader):
    """A Parquet file; where its pages have checksums, they must be right.

    Args:
        file: an open one, which can seek.
        name: of it, for errors.

    Raises:
        SeriesError: not a Parquet file, a damaged one, or columns that cannot be kept.
    """

    n_rows: int

    def __init__(self, file: IO[bytes], name: str):
        self.name = name
        with self._refusing():
            self._file = pq.ParquetFile(file, page_checksum_verification=True, buffer_size=BUFFER_BYTES)
            self._schema = self._file.schema_arrow
            self.n_rows = self._file.metadata.num_rows
        self.origin = {"suffix": ".parquet", "metadata": text_of(self._schema.metadata)}
        self.remarks = []
        self._words: dict[int, tuple[str, ...]] = {}

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError) as error:
            raise SeriesError(f"{self.name}: cannot be read as Parquet ({first_line(error)})") from None

    def pieces(self, rows: int) -> Iterator[Table]:
        """See :meth:`TableReader.pieces`."""
        if rows < self.n_rows and not self._words:
            self._words = self._all_words()
        if not self.n_rows:
            yield self._table(self._schema.empty_table())
        for table in rechunked(self._batches(min(rows, BATCH_ROWS)), rows) if self.n_rows else ():
            yield self._table(table)

    def _batches(self, rows: int, columns: list[str] | None = None) -> Iterator[Any]:
        """Record batches of at most so many rows; each row group by itself, lest Arrow holds on to all of them."""
        for group in range(self._file.num_row_groups):
            batches = self._file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False)
            while True:
                with self._refusing():
                    batch = next(batches, None)
                if batch is None:
                    break
                yield batch

    def _all_words(self) -> dict[int, tuple[str, ...]]:
        """The words of columns that are dictionaries, which differ from row group to row group."""
        words: dict[int, dict[str, None]] = {
            at: {} for at, field in enumerate(self._schema) if pa.types.is_dictionary(field.type)
        }
        names = self._schema.names
        by_name = len(set(names)) == len(names) and "." not in "".join(names)  # a point would lead into a column
        places = dict(enumerate(words)) if by_name else {at: at for at in words}
        for batch in self._batches(BATCH_ROWS, [names[at] for at in words] if by_name else None) if words else ():
            for place, at in places.items():
                column = from_arrow(names[at], batch.column(place).slice(0, 0), file=self.name)
                words[at].update(dict.fromkeys(column.dictionary.words if column.dictionary else ()))
        return {at: tuple(found) for at, found in words.items()}

    def _table(self, found: Any) -> Table:
        columns = []
        for at, (field, data) in enumerate(zip(self._schema, found.columns, strict=True)):
            notes = text_of(field.metadata)
            column = from_arrow(field.name, data, file=self.name, notes=notes, nullable=field.nullable)
            if column.dictionary is not None and at in self._words:
                column.dictionary = replace(column.dictionary, words=self._words[at])
            columns.append(column)
        return Table(columns, dict(self.origin), self.remarks)


class ParquetWriter(TableWriter):
    """A Parquet file, a row group for each piece, compressed with zstd, its pages with checksums.

    Args:
        file: an open one.
        name: of it, for errors.
        has_gaps: whether rows may be lost, so that all columns may have gaps, whatever their types say.
    """

    def __init__(self, file: IO[bytes], name: str, *, has_gaps: bool = False):
        self._file, self._name, self._has_gaps = file, name, has_gaps
        self._writer: pq.ParquetWriter | None = None

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, ValueError) as error:
            raise SeriesError(
                f"{self._name}: cannot be written as Parquet ({first_line(error)}); write .npz or .csv"
            ) from None

    def write(self, piece: Table) -> None:
        """See :meth:`TableWriter.write`: refused are cells that the types do not hold."""
        arrays = [array_of(column, self._name) for column in piece.columns]
        with self._refusing():
            if self._writer is None:
                fields = [
                    pa.field(column.name, array.type, self._is_nullable(column), bytes_of(column.notes))
                    for column, array in zip(piece.columns, arrays, strict=True)
                ]
                schema = pa.schema(fields, metadata=bytes_of(piece.origin.get("metadata", {})))
                self._writer = pq.ParquetWriter(self._file, schema, compression="zstd", write_page_checksum=True)
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._writer.schema))

    def _is_nullable(self, column: Column) -> bool:
        return column.nullable or self._has_gaps or bool((column.cells == NULL).any())  # those of damaged chunks

    def finish(self) -> None:
        """See :meth:`TableWriter.finish`."""
        if self._writer is not None:
            with self._refusing():
                self._writer.close()

    def abandon(self) -> None:
        """See :meth:`TableWriter.abandon`."""
        if self._writer is not None:
            self._writer.close()  # lest it writes when it is collected
