"""Chunk after chunk into a table's file, each decoded again and compared before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np

from vqaudio.errors import SeriesError
from vqaudio.series import trailer
from vqaudio.series.arrays import Bools
from vqaudio.series.chunk import Chunk, decode_chunk, encode_chunk
from vqaudio.series.coding.model import Model
from vqaudio.series.encodings import select
from vqaudio.series.encodings.base import EncodedColumn
from vqaudio.series.encodings.bounds import Bounds, ColumnBound, distances, equal_bits, within, within_share
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.header import TableHeader
from vqaudio.series.schema import TableSchema, describe, parse_schema
from vqaudio.series.stored import StoredTable
from vqaudio.series.table import FLOATS, Column, Table
from vqaudio.series.trailer import IndexEntry

NAME_SIZE = 32
"""Bytes that the name of a model takes in the header, at most."""


@dataclass(frozen=True)
class WritingOptions:
    """How tables are written.

    Args:
        max_error: how far numbers may be off, all or by the names of columns; None for not at all.
        lossless: keep floats to the bit that have no fixed number of digits, rather than refuse them.
        independent: predict no column from others, to see what that is worth.
        model: codes a column wherever it takes fewer bytes so; the file then names it, and cannot be read without it.
        mixing: codes a column by :mod:`vqaudio.series.coding.mixed` wherever it takes fewer bytes so; not with a model.
    """

    max_error: Bounds | ColumnBound | None = None
    lossless: bool = False
    independent: bool = False
    model: Model | None = None
    mixing: bool = True


class NoStyleError(Exception):
    """Some columns' text fits no style: ``numbers``."""

    def __init__(self, numbers: set[int]):
        super().__init__()
        self.numbers = numbers


class ChunkWriter:
    """Writes a table's file from its header to its trailer, and never goes back.

    Args:
        file: an open one, at its start.
        like: some rows of the table: its columns' names and types count.
        plans: what holds for all rows of each column.
        options: how it is written.
        name: of the file that the table comes from, for errors.

    Attributes:
        n_rows, size: rows and bytes that were written.
    """

    def __init__(self, file: IO[bytes], like: Table, plans: Sequence[ColumnPlan], options: WritingOptions, name: str):
        self._file, self._plans, self._options, self._name = file, plans, options, name
        self._like, self._entries = like, list[IndexEntry]()
        self._clock = trailer.clock_of(column.dtype for column in like.columns)
        self._header: TableHeader | None = None
        self._model = options.model
        self.n_rows = self.size = 0

    @classmethod
    def following(cls, stored: StoredTable, file: IO[bytes], options: WritingOptions, name: str) -> ChunkWriter:
        """What writes behind the chunks of a file of this version, of which ``file`` holds all but the trailer."""
        header, empty = stored.header, stored.empty
        assert isinstance(header, TableHeader)
        plans = [
            ColumnPlan(column.bound, not column.bounded, column.bounded, share=column.share)
            for column in stored.columns
        ]
        writer = cls(file, empty, plans, options, name)
        writer._start(header)
        writer.n_rows = stored.n_rows
        writer.size = stored.layout.places[0].offset + sum(place.size for place in stored.layout.places)
        for place in stored.layout.places:
            writer._entries.append(IndexEntry(place.rows.stop - place.rows.start, place.size, place.times))
        if writer._clock is not None and stored.layout.clock is None:
            writer._entries = [
                replace(entry, times=trailer.times_of(stored.piece(place, chunk).columns[writer._clock]))
                for entry, (place, chunk) in zip(writer._entries, stored.chunks(), strict=True)
            ]  # an only chunk, of which files do not say them
        return writer

    def add(self, piece: Table) -> None:
        """The next rows, as one chunk.

        Raises:
            NoStyleError: some columns have to be stored as text from the first row on.
            SeriesError: values that cannot be kept so, or that do not come back as they should.
        """
        lossless, name, first_row = self._options.lossless, self._name, self.n_rows
        sentinels = select.sentinels_of(piece, self._plans)
        found = [
            select.encode(column, plan, lossless=lossless, name=name, first_row=first_row, sentinels=those)
            for column, plan, those in zip(piece.columns, self._plans, sentinels, strict=True)
        ]
        encoded = [column for column in found if column is not None]
        if len(encoded) < len(found):
            raise NoStyleError({number for number, column in enumerate(found) if column is None})
        data = self._encode_first(piece, encoded) if self._header is None else self._encode(piece, encoded)[0]
        header, schema = self._begun
        rows = slice(self.n_rows, self.n_rows + piece.n_rows)
        chunk = decode_chunk(data, schema, header_text=header.text, rows=rows, model=self._model)
        self._check(piece, chunk, encoded)
        times = None if self._clock is None else trailer.times_of(self._restored(piece, chunk, self._clock))
        self._entries.append(IndexEntry(piece.n_rows, len(data), times))
        self._file.write(data)
        self.n_rows, self.size = rows.stop, self.size + len(data)

    def finish(self) -> None:
        """Write what stands behind the last chunk."""
        data = trailer.to_bytes(self._entries, self._clock) or b""
        self._file.write(data)
        self.size += len(data)

    # ------------------------------------------------------------------------------------------------- the first chunk

    @property
    def _begun(self) -> tuple[TableHeader, TableSchema]:
        assert self._header is not None
        return self._header, self._schema

    def _start(self, header: TableHeader) -> None:
        self._header, self._schema = header, parse_schema(header.meta)

    def _encode_first(self, piece: Table, encoded: Sequence[EncodedColumn]) -> bytes:
        """The first chunk; the header, which goes before, names the model if that saves more than its name takes."""
        data = b""
        if self._model is not None:
            self._start(TableHeader(describe(self._like, self._plans, model=self._model.fingerprint)))
            data, saved = self._encode(piece, encoded)
            if saved <= NAME_SIZE:
                self._model = None
        if self._model is None:
            self._start(TableHeader(describe(self._like, self._plans)))
            data, _ = self._encode(piece, encoded)
        start = self._begun[0].to_bytes()
        self._file.write(start)
        self.size += len(start)
        return data

    def _encode(self, piece: Table, encoded: Sequence[EncodedColumn]) -> tuple[bytes, int]:
        return encode_chunk(
            piece,
            encoded,
            first_row=self.n_rows,
            header_text=self._begun[0].text,
            independent=self._options.independent,
            model=self._model,
            mixing=self._options.mixing and self._options.model is None,
        )

    # ------------------------------------------------------------------------------------------------------- comparing

    @staticmethod
    def _restored(piece: Table, chunk: Chunk, number: int) -> Column:
        found, column = chunk.columns[number], piece.columns[number]
        values = found.values(column.dtype)
        return replace(column, values=values, cells=found.cells, style=found.style, texts=None)

    def _check(self, piece: Table, chunk: Chunk, encoded: Sequence[EncodedColumn]) -> None:
        """Refuse to hand out a file that does not give back what it should."""
        for number, (column, plan) in enumerate(zip(piece.columns, self._plans, strict=True)):
            found = self._restored(piece, chunk, number)
            bound = encoded[number].bound
            good = np.array_equal(column.cells, found.cells)
            if plan.share:
                near = within_share(found.values, column.values, share=plan.share)
                good = good and bool((near | _exact(column, found))[column.known].all())
            elif bound and column.dtype in FLOATS:
                near = within(column.values, found.values, bound=bound)
                good = good and bool((near | _exact(column, found))[column.known].all())
            elif bound:
                good = good and int(distances(column.values, found.values).max()) <= bound
            else:
                values, restored = column.values[column.known], found.values[column.known]
                equal = equal_bits(values, restored) if column.dtype in FLOATS else values == restored
                good = good and bool(np.all(equal))
                if column.texts is not None and not plan.bounded:
                    good = good and _comes_back(found, column.texts)
            if not good:
                raise SeriesError(
                    f"{self._name}: column {column.name!r} does not come back as it should: please report this"
                )


def _exact(column: Column, found: Column) -> Bools:
    """Where floats are equal to the bit, as NaNs and infinities are that stand for themselves."""
    if column.dtype in FLOATS:
        return equal_bits(column.values, found.values)
    return np.asarray(column.values == found.values)


def _comes_back(column: Column, texts: Any) -> bool:
    """Whether a column's cells are written as they stood."""
    from vqaudio.series.cell_style import render_cells  # late: Arrow takes a while to import

    return bool(render_cells(column).equals(texts))
