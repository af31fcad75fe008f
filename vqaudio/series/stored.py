"""Tables in ``.vq`` files that are open, with a word for whatever is damaged."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import IO, Any

import numpy as np

from vqaudio.container.fields import DamageError
from vqaudio.container.header import MAGIC, holds_table
from vqaudio.container.stored import Damage, Header, StoredFile
from vqaudio.errors import ContainerError, ModelError
from vqaudio.series.chunk import Chunk
from vqaudio.series.coding.model import Model, find_model
from vqaudio.series.column_facts import ColumnUse, facts_of_column
from vqaudio.series.header import most_cells
from vqaudio.series.layout import Layout, Place, Version4
from vqaudio.series.pieces import joined
from vqaudio.series.span import Edge, RowSpan
from vqaudio.series.table import NULL, Table
from vqaudio.series.version2 import Version2

Progress = Callable[[int], object]
"""Told how many rows were done since it was told last."""


class StoredTable(StoredFile):
    """A table in a ``.vq`` file.

    Args:
        source: the file's bytes, or the file, which is open and can seek.
        name: for errors.
        model: the one that wrote it, where it is not shipped; else it is found by the file's fingerprint.
        closing: what was opened for it.

    Attributes:
        columns: what their rows have in common: names, types, bounds.
        layout: where its chunks are.
        given: the model that was given.

    Raises:
        ContainerError: not such a file, or a damaged header.
    """

    def __init__(
        self,
        source: bytes | IO[bytes],
        name: str = "the file",
        *,
        model: Model | None = None,
        closing: ExitStack | None = None,
    ):
        super().__init__(name, closing)
        self._file = io.BytesIO(source) if isinstance(source, bytes) else source
        self._size, self.given = self._file.seek(0, io.SEEK_END), model
        self._file.seek(0)
        start = self._file.read(len(MAGIC) + 1)
        try:
            if not holds_table(start):
                raise ContainerError("holds no table: name a .vq file that was made from one")
            kind = Version2 if start[-1] == 2 else Version4
            self.layout: Layout = kind(self._file, self._size)
        except ContainerError as error:
            raise ContainerError(f"{name}: {error}") from None
        self.columns = self.layout.columns
        self._empty = [column.empty_column() for column in self.columns]
        self._damage = list(self.layout.damage)
        self._uses = [ColumnUse() for _ in self.columns]

    def __repr__(self) -> str:
        return f"<StoredTable {self.name!r}: {self.n_rows} rows of {len(self.columns)} columns, {self.size} bytes>"

    @property
    def header(self) -> Header:
        """See :attr:`StoredFile.header`."""
        return self.layout.header

    @property
    def empty(self) -> Table:
        """Its columns, without rows."""
        return Table(self._empty, dict(self.layout.origin))

    @property
    def n_rows(self) -> int:
        """Rows, those that are lost included."""
        return self.layout.n_rows

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    @property
    def damage(self) -> list[Damage]:
        """See :attr:`StoredFile.damage`; it is told anew whenever chunks are read."""
        return self._damage

    def check(self) -> None:
        """See :meth:`StoredFile.check`."""
        uses = [ColumnUse() for _ in self.columns]
        for _, chunk in self.chunks():
            for use, column in zip(uses, chunk.columns if chunk else (), strict=False):
                use.add(column)
        self._uses = uses

    def facts(self) -> dict[str, Any]:
        """See :meth:`StoredFile.facts`; what columns take is known once the file was checked."""
        places = self.layout.places
        return {
            "rows": self.n_rows,
            "columns": [
                facts_of_column(column, use, n_bytes=self.size)
                for column, use in zip(self.columns, self._uses, strict=True)
            ],
            "source_format": self.suffix.removeprefix("."),
            "chunks": len(places),
            "chunk_rows": max(place.rows.stop - place.rows.start for place in places),
            "bytes": self.size,
            "model": self.model or "none",
            "bits_per_value": round(self.size * 8 / (self.n_rows * len(self.columns)), 3),
        }

    @property
    def model(self) -> str:
        """Fingerprint of the model that is needed for its numbers; "" for none."""
        return self.layout.model

    @property
    def suffix(self) -> str:
        """Of the file that the table comes from."""
        return str(self.layout.origin["suffix"])

    def table(self, progress: Progress = lambda rows: None, *, start: Edge = None, end: Edge = None) -> Table:
        """All of it, or some rows. Those that are lost are gaps, and told of in ``damage``.

        Only the chunks that are needed are decoded.

        Args:
            progress: told how many rows were done.
            start, end: the numbers of rows, counted from 0; or times, as text (``2016-07-01T12:00``) or numpy's, in the
                first column of dates or time stamps. Rows from ``start`` on, and up to ``end`` without it.

        Raises:
            ContainerError: more than is taken into memory at once from a file of its size.
            ModelError: the model that the file was written by is neither given nor shipped.
            SeriesError: a span that holds no rows.
        """
        span = RowSpan(start, end)
        n_rows = span.n_rows(self)
        if n_rows is None:
            n_rows = sum(place.rows.stop - place.rows.start for place in span.places(self))
        n_cells = n_rows * len(self.columns)
        if n_cells > most_cells(self.size):
            raise ContainerError(
                f"{self.name}: {n_cells} cells in {self.size} bytes are more than are taken into memory at once: read "
                "them in pieces, or decompress them to a file"
            )
        return joined(list(self.pieces(progress, start=start, end=end)))

    def pieces(
        self, progress: Progress = lambda rows: None, *, start: Edge = None, end: Edge = None
    ) -> Iterator[Table]:
        """The same, chunk by chunk: memory holds one of them.

        Raises:
            ModelError, SeriesError: as :meth:`table`.
        """
        span = RowSpan(start, end)
        places = span.places(self)
        found = 0
        for place, chunk in self._read(places, progress):
            piece = span.cut(self.piece(place, chunk), place, self)
            found += piece.n_rows
            if piece.n_rows:
                yield piece
        if not found:
            raise span.holds_nothing(self)

    def piece(self, place: Place, chunk: Chunk | None) -> Table:
        """The rows of a chunk; of one that is lost, gaps."""
        n_rows = place.rows.stop - place.rows.start
        if chunk is None:
            lost = [
                replace(column, values=_nothing(column.values, n_rows), cells=np.full(n_rows, NULL, np.uint8))
                for column in self._empty
            ]
            return Table(lost, dict(self.layout.origin))
        columns = [
            replace(column, values=found.values(column.dtype), cells=found.cells, style=found.style)
            for column, found in zip(self._empty, chunk.columns, strict=True)
        ]
        lines = dict(chunk.lines)
        if place is not self.layout.places[-1]:
            lines.pop("ends", None)  # lines were added behind it later
        return Table(columns, self.layout.origin | lines)

    def assembled(self, chunks: Iterable[tuple[Place, Chunk | None]]) -> Table:
        """The table of chunks that were read, in order."""
        return joined([self.piece(place, chunk) for place, chunk in chunks])

    def chunks(self, progress: Progress = lambda rows: None) -> Iterator[tuple[Place, Chunk | None]]:
        """Each chunk's place and its columns as integers; None for a chunk that is lost.

        Raises:
            ModelError: as :meth:`table`.
        """
        return self._read(self.layout.places, progress)

    def _read(self, places: Sequence[Place], progress: Progress) -> Iterator[tuple[Place, Chunk | None]]:
        try:
            model = find_model(self.model, self.given) if self.model else None
        except ModelError as error:
            raise ModelError(f"{self.name}: {error}") from None
        self._damage = list(self.layout.damage)
        for place in places:
            chunk = None
            try:
                self._file.seek(place.offset)
                chunk = self.layout.decode(self._file.read(place.size), place, model)
            except DamageError as damage:
                self._damage.append(Damage(str(damage), place.index, place.rows.start, place.rows.stop, "rows"))
            progress(place.rows.stop - place.rows.start)
            yield place, chunk


def _nothing(like: Any, n_rows: int) -> Any:
    return np.full(n_rows, "" if like.dtype.kind == "O" else 0, like.dtype)
