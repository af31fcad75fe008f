"""Tables in files of version 2, which are read for ever; docs/format.md specifies them.

Encodings and styles stand in the header there, once for all rows, and chunks have rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Annotated, Any, cast

import numpy as np
from pydantic import FailFast, Field, StrictBool, model_validator

from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, crc32_bytes
from vqaudio.container.header import MAGIC
from vqaudio.errors import ContainerError
from vqaudio.series.arrays import Integers
from vqaudio.series.cells import parse_runs
from vqaudio.series.chunk import Chunk, ColumnChunk, parse_literals
from vqaudio.series.coding.column import decode_column
from vqaudio.series.coding.model import Model
from vqaudio.series.described import unpack
from vqaudio.series.encodings.base import ColumnEncoding
from vqaudio.series.encodings.dictionary import DictionaryEncoding
from vqaudio.series.header import most_cells
from vqaudio.series.layout import Layout, Place
from vqaudio.series.pieces import BY_ROW, cut
from vqaudio.series.schema import (
    AnyEncoding,
    Counts,
    DictionarySchema,
    Integer,
    Metadata,
    Origin,
    Section,
    Style,
    Text,
    check_arrays,
    kinds_of,
    validated,
)
from vqaudio.series.schema import ColumnSchema as LaterColumnSchema
from vqaudio.series.table import FLOATS, VALUE, Column, Table, storages_of
from vqaudio.series.varints import take_varints

VERSION = 2
MOST_CHUNK_ROWS = 1 << 16
MOST_PIECES, BYTES_PER_PIECE = 1 << 20, 4
"""Columns times chunks that any file may have, and the bytes that each takes at least."""
LATER_NAME = "fields"
"""What ``columns`` are called where a key is used that the first readers would pass over; so they refuse the file."""


class WholeOrigin(Origin):
    """What restores the file that a table comes from, its lines included."""

    blank_lines: Counts = Field(default_factory=list)
    ends: StrictBool = True


class IndexSchema(Section):
    """The index of a dictionary; its words are those of the encoding."""

    index: Integer
    ordered: StrictBool


class ColumnSchema(Section):
    """All of a column but its cells."""

    name: Text
    dtype: Text
    storage: Annotated[Text, Field(alias="stored")]
    tagged_encoding: Annotated[AnyEncoding, Field(alias="way")]
    bound: Annotated[float, Field(strict=True, ge=0)] = 0.0
    zone: Text = ""
    notes: Metadata = Field(default_factory=dict)
    style: Style = Style()
    nullable: StrictBool = True
    dictionary: IndexSchema | None = None

    @property
    def encoding(self) -> ColumnEncoding:
        """How its values follow from numbers."""
        return cast(ColumnEncoding, self.tagged_encoding[1])

    def later(self) -> LaterColumnSchema:
        """What its rows have in common."""
        dictionary = None
        if self.dictionary is not None:
            words = cast(DictionaryEncoding, self.encoding).words
            dictionary = DictionarySchema(index=self.dictionary.index, ordered=self.dictionary.ordered, words=words)
        return LaterColumnSchema(
            name=self.name,
            dtype=self.dtype,
            bound=self.bound,
            zone=self.zone,
            notes=self.notes,
            nullable=self.nullable,
            dictionary=dictionary,
        )

    @model_validator(mode="after")
    def _fits(self) -> ColumnSchema:
        if self.storage not in storages_of(self.dtype):
            raise ValueError(f"a column of {self.dtype} in {self.storage}")
        kinds = {"words"} if self.storage == "object" else kinds_of(self.dtype) - {"words"}
        if self.tagged_encoding[0] not in kinds or (self.dictionary is not None and self.tagged_encoding[0] != "words"):
            raise ValueError(f"a column of {self.dtype} encoded as {self.tagged_encoding[0]}")
        return self


class TableSchema(Section):
    """All that a header says beside numbers."""

    origin: WholeOrigin
    columns: Annotated[list[ColumnSchema], FailFast(), Field(min_length=1)]
    model: Annotated[Text, Field(max_length=64)] = ""

    @model_validator(mode="after")
    def _fits(self) -> TableSchema:
        check_arrays(self.origin, len(self.columns))
        return self


@dataclass(frozen=True)
class Header:
    """What stands before the first chunk.

    Args:
        n_rows, chunk_rows: of the table and of a full chunk.
        sizes: of chunks, in bytes.
        raw: the header as it stands in the file.
    """

    n_rows: int
    chunk_rows: int
    sizes: tuple[int, ...]
    raw: bytes
    version = VERSION

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""
        return self.raw

    @classmethod
    def from_file(cls, file: IO[bytes], n_bytes: int) -> tuple[Header, Any]:
        """The header at the start of an open file of so many bytes, and the JSON in it.

        Raises:
            ContainerError: a damaged header.
        """
        cursor = Cursor(file.read(len(MAGIC) + 10))
        try:
            cursor.take(len(MAGIC) + 1)
            size = min(cursor.varint(), n_bytes)
            cursor.data += file.read(size + 18)
            described = cursor.take(size)
            n_rows, chunk_rows = cursor.varint(), max(1, cursor.varint())
            n_chunks = -(-n_rows // chunk_rows)
            if chunk_rows > MOST_CHUNK_ROWS or n_rows > most_cells(n_bytes) or n_chunks > n_bytes:
                raise DamageError(f"{n_rows} rows in chunks of {chunk_rows} are more than it can hold")
            cursor.data += file.read(9 * n_chunks + 4)
            sizes = tuple(take_varints(cursor, n_chunks).tolist())
            if cursor.take(4) != crc32_bytes(cursor.data[: cursor.position - 4]):
                raise DamageError("its checksum does not match its bytes")
            meta, _ = unpack(described, n_rows, n_bytes)
        except DamageError as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None
        if isinstance(meta, dict) and LATER_NAME in meta and "columns" not in meta:
            meta["columns"] = meta.pop(LATER_NAME)
        return cls(n_rows, chunk_rows, sizes, cursor.data[: cursor.position]), meta


class Version2(Layout):
    """A file of version 2; arguments and errors are those of :class:`vqaudio.series.layout.Version4`."""

    def __init__(self, file: IO[bytes], n_bytes: int):
        file.seek(0)
        self.header: Header
        self.header, meta = Header.from_file(file, n_bytes)
        schema = _parse(meta, self.header.n_rows)
        self._check_amount(len(schema.columns), n_bytes)
        origin = schema.origin.model_dump(exclude_unset=True)
        self.origin = {key: value for key, value in origin.items() if key not in BY_ROW}
        self.columns, self.model = [column.later() for column in schema.columns], schema.model
        self._columns, self.clock = schema.columns, None
        self._styles = Table([_unwritten(column, self.header.n_rows) for column in schema.columns], origin)
        offset, self.places = len(self.header.raw), []
        for index, size in enumerate(self.header.sizes):
            start = index * self.header.chunk_rows
            rows = slice(start, min(self.header.n_rows, start + self.header.chunk_rows))
            self.places.append(Place(index, rows, offset, size))
            offset += size
        self.damage = []

    def _check_amount(self, n_columns: int, n_bytes: int) -> None:
        """Refuse what would take much more memory and time than a file of so many bytes can be worth."""
        n_cells, n_chunks = self.header.n_rows * n_columns, len(self.header.sizes)
        if n_cells > most_cells(n_bytes) or n_chunks * n_columns > max(MOST_PIECES, n_bytes // BYTES_PER_PIECE):
            raise ContainerError(
                f"the header is damaged: {n_cells} cells in {n_chunks} chunks are more than {n_bytes} bytes hold; "
                "get the file again from its source"
            )

    def decode(self, data: bytes, place: Place, model: Model | None) -> Chunk:
        n_rows = place.rows.stop - place.rows.start
        if len(data) < 6 or crc32_bytes(data[:-4]) != data[-4:]:
            raise DamageError("its checksum does not match its bytes")
        cursor = Cursor(data[:-6])
        if (found := cursor.varint()) != place.index:
            raise DamageError(f"its number is {found}, expected {place.index}")
        here = cut(self._styles, place.rows.start, place.rows.stop)
        columns: list[ColumnChunk] = []
        previous: list[Integers] = []
        for schema, written in zip(self._columns, here.columns, strict=True):
            start = cursor.position
            n_runs = cursor.varint()
            cells = parse_runs(cursor, n_runs, n_rows) if n_runs else np.full(n_rows, VALUE, np.uint8)
            size = np.dtype(schema.dtype).itemsize if schema.dtype in FLOATS else 0
            literal_rows, literals = parse_literals(cursor, n_rows, size)
            numbers, name = decode_column(cursor, n_rows, previous=previous, model=model)
            columns.append(
                ColumnChunk(
                    numbers,
                    cells,
                    literal_rows,
                    literals,
                    schema.encoding,
                    written.style,
                    predictor=name,
                    size=cursor.position - start,
                )
            )
            previous.append(numbers)
        if cursor.position != len(cursor.data):
            raise DamageError(f"{len(cursor.data) - cursor.position} bytes follow its last column")
        checked = b"".join(column.numbers.astype("<i8").tobytes() + column.cells.tobytes() for column in columns)
        if crc16_bytes(checked) != data[-6:-4]:
            raise DamageError("its values do not match their digest")
        return Chunk(columns, {key: here.origin[key] for key in BY_ROW if key in here.origin})


def _unwritten(column: ColumnSchema, n_rows: int) -> Column:
    """A column of so many rows that has nothing but its style; its rows take no memory."""
    none = np.broadcast_to(np.zeros(1, np.uint8), (n_rows,))
    return Column(column.name, "uint8", none, none, style=column.style.model_dump(exclude_unset=True))


def _parse(meta: Any, n_rows: int) -> TableSchema:
    try:
        if n_rows < 1:
            raise ValueError("it has no rows")
        return validated(TableSchema, meta, n_rows=n_rows)
    except ValueError as error:
        raise ContainerError(f"the header describes no table ({error}); update vqaudio") from None
