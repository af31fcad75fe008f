"""Tables in ``.vq`` files that are open, with a word for whatever is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from vqaudio.container.fields import DamageError
from vqaudio.container.stored import Damage, StoredFile
from vqaudio.errors import ContainerError, ModelError
from vqaudio.series.chunk import ColumnChunk, decode_chunk
from vqaudio.series.coding.model import Model, find_model
from vqaudio.series.encodings.base import ColumnEncoding
from vqaudio.series.header import TableHeader
from vqaudio.series.schema import parse_schema
from vqaudio.series.table import FLOATS, NULL, Column, Table

Progress = Callable[[int], object]
"""Told how many rows were done since it was told last."""
Chunk = tuple[int, list[ColumnChunk] | None]
"""Its number, and its columns as integers; None for one that is lost."""


class StoredTable(StoredFile):
    """A table in a ``.vq`` file.

    Args:
        data: all of the file.
        name: for errors.
        model: the one that wrote it, where it is not shipped; else it is found by the file's fingerprint.

    Raises:
        ContainerError: not such a file, or a damaged header.
    """

    def __init__(self, data: bytes, name: str = "the file", *, model: Model | None = None):
        super().__init__(name)
        self._data, self._given = data, model
        try:
            self._header, self._start = TableHeader.from_bytes(data)
            self.schema = parse_schema(self._header.meta, self._header.n_rows)
            self._header.check_amount(len(self.schema.columns), len(data))
        except ContainerError as error:
            raise ContainerError(f"{name}: {error}") from None
        self._columns = [column.empty_column() for column in self.schema.columns]
        self._damage: list[Damage] = []

    def __repr__(self) -> str:
        shape = f"{self.header.n_rows} rows of {len(self._columns)} columns"
        return f"<StoredTable {self.name!r}: {shape}, {self.size} bytes>"

    @property
    def header(self) -> TableHeader:
        """See :attr:`StoredFile.header`."""
        return self._header

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._data)

    @property
    def damage(self) -> list[Damage]:
        """See :attr:`StoredFile.damage`; it is told anew whenever chunks are read."""
        return self._damage

    def check(self) -> None:
        """See :meth:`StoredFile.check`."""
        for _ in self.chunks():
            pass

    def facts(self) -> dict[str, Any]:
        """See :meth:`StoredFile.facts`."""
        n_rows, columns = self.header.n_rows, self.schema.columns
        return {
            "rows": n_rows,
            "columns": list(map(str, columns)),
            "source_format": self.suffix.removeprefix("."),
            "chunks": self.header.n_chunks,
            "chunk_rows": self.header.chunk_rows,
            "bytes": self.size,
            "model": self.model or "none",
            "bits_per_value": round(self.size * 8 / (n_rows * len(columns)), 3),
        }

    @property
    def model(self) -> str:
        """Fingerprint of the model that is needed for its numbers; "" for none."""
        return self.schema.model

    @property
    def suffix(self) -> str:
        """Of the file that the table comes from."""
        return self.schema.origin.suffix

    def table(self, progress: Progress = lambda rows: None) -> Table:
        """All of it. Rows that are lost are gaps, and told of in ``damage``.

        Raises:
            ModelError: the model that the file was written by is neither given nor shipped.
        """
        return self.assembled(self.chunks(progress))

    def assembled(self, chunks: Iterable[Chunk]) -> Table:
        """The table of all chunks, in order."""
        pairs = [(self.header.rows_of(index), parts) for index, parts in chunks]
        columns = []
        for number, (column, schema) in enumerate(zip(self._columns, self.schema.columns, strict=True)):
            pieces = [_piece(column, schema.encoding, rows, parts[number] if parts else None) for rows, parts in pairs]
            values, cells = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
            columns.append(replace(column, values=values, cells=cells))
        return Table(columns, self.schema.origin.model_dump(exclude_unset=True))

    def chunks(self, progress: Progress = lambda rows: None) -> Iterator[Chunk]:
        """The number of each chunk, and its columns as integers; None for a chunk that is lost."""
        try:
            model = find_model(self.model, self._given) if self.model else None
        except ModelError as error:
            raise ModelError(f"{self.name}: {error}") from None
        self._damage = []
        offset = self._start
        sizes = [column.values.dtype.itemsize if column.dtype in FLOATS else 0 for column in self._columns]
        for index, size in enumerate(self.header.sizes):
            rows = self.header.rows_of(index)
            parts = None
            try:
                data = self._data[offset : offset + size]
                n_rows = rows.stop - rows.start
                parts = decode_chunk(data, index, n_rows=n_rows, literal_sizes=sizes, model=model)
            except DamageError as damage:
                self._damage.append(Damage(str(damage), index, rows.start, rows.stop, "rows"))
            offset += size
            progress(rows.stop - rows.start)
            yield index, parts
        if offset < len(self._data):
            self._damage.append(Damage(f"{len(self._data) - offset} bytes follow the last chunk"))


def _piece(column: Column, encoding: ColumnEncoding, rows: slice, chunk: ColumnChunk | None) -> tuple[Any, Any]:
    """Values and cells of a chunk; of a lost one, gaps."""
    n_rows, dtype = rows.stop - rows.start, column.values.dtype
    if chunk is None:
        return np.full(n_rows, "" if dtype.kind == "O" else 0, dtype), np.full(n_rows, NULL, np.uint8)
    return chunk.values(encoding, dtype), chunk.cells
