"""Rows of all columns to bytes that can be read by themselves, and back; docs/format.md specifies them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, crc32_bytes, varint
from vqaudio.series import matrix
from vqaudio.series.arrays import Integers
from vqaudio.series.cells import decode_cells, encode_cells
from vqaudio.series.coding.column import decode_column, encode_column
from vqaudio.series.coding.model import Model
from vqaudio.series.described import RAW, as_text, pack, unpack
from vqaudio.series.encodings.base import ColumnEncoding, EncodedColumn
from vqaudio.series.header import most_rows
from vqaudio.series.schema import TableSchema, describe_chunk, parse_chunk_schema
from vqaudio.series.table import FLOATS, SENTINEL, VALUE, Column, Table, storages_of
from vqaudio.series.varints import take_varints, varints

KIND = 0xC8
"""The byte that a chunk begins with."""
LEAST_SIZE = 16
"""Bytes of a chunk: no smaller one holds a row."""
MOST_SIZE = 2**40
KNOWN_TEXT = (
    b'{"columns":[{"way":["words",{"words":["","NA","false","true"]}]},{"way":["levels",{"base":["whole",{}],"table":"'
    b'"}]},{"way":["near",{"scale":100.0,"rounded":"float32","reach":1}]},{"way":["near",{"scale":1000.0,"rounded":"fl'
    b'oat64","reach":1}]},{"way":["bits",{}],"style":{"short":true}},{"style":{"words":["False","True"],"gap":"NA","ga'
    b'p":"?","point":",","exceptions":[[0.0,"0"]],"stretches":[[1,2]],"spelled":[[0,1],["0"]]}},{"way":["whole",{"leas'
    b't":-1,"step":1,"span":100}],"style":{"pattern":"%d/%m/%Y %H:%M:%S","unit":"s","between":"T"},"sentinels":[-200,9'
    b'999]},{"way":["whole",{"step":3600,"span":0}],"style":{"unit":"D"}},{"way":["levels",{"base":["grid",{"scale":10'
    b'.0,"divides":true,"step":10,"first":-1}],"table":"0"}]},{"way":["grid",{"scale":1000.0,"divides":true,"step":2,"'
    b'first":1}],"style":{"digits":3}},{"way":["grid",{"scale":1.0,"divides":false}],"style":{"digits":2}},{"way":["gr'
    b'id",{"scale":100.0,"divides":true}],"style":{"digits":1}}],"lines":{"blank_lines":[0],"ends":false}}{"columns":['
    b'{"way":["whole",{"least":1}]},{"way":["whole",{"least":14}]},{"way":["words",{"words":["","a"]}]},{"way":["grid"'
    b',{"scale":1000000.0,"divides":true,"first":-1}]},{"way":["grid",{"scale":1000.0,"divides":true,"first":1}]},{"wa'
    b'y":["whole",{"least":-1,"step":1'
)
"""The preset dictionary of chunks' texts, which the text of the header follows."""


@dataclass(frozen=True)
class ColumnChunk:
    """A column's share of a chunk.

    Args:
        numbers: int64 ``(rows,)``.
        marks: uint8 ``(rows,)`` of VALUE, NULL, NAN and, from SENTINEL on, sentinels by their numbers.
        literal_rows: int64; rows whose values stand for themselves,
        literals: and their bytes, one after another.
        encoding: how values follow from numbers.
        style: how cells are written as text.
        predictor: what the numbers were predicted by, in words; known of those that were read.
        sentinels: values that stand for none.
        size: bytes that it takes in its chunk; known of those that were read.
    """

    numbers: Integers
    marks: NDArray[np.uint8]
    literal_rows: Integers
    literals: bytes
    encoding: ColumnEncoding
    style: dict[str, Any] = field(default_factory=dict)
    predictor: str = ""
    sentinels: tuple[int | float, ...] = ()
    size: int = 0

    @property
    def cells(self) -> NDArray[np.uint8]:
        """What cells hold in a table: uint8 ``(rows,)`` of VALUE, NULL and NAN."""
        return np.where(self.marks < SENTINEL, self.marks, VALUE).astype(np.uint8) if self.sentinels else self.marks

    @classmethod
    def of_column(cls, column: Column, encoded: EncodedColumn) -> ColumnChunk:
        """A column of a chunk's rows."""
        values = column.values[encoded.literals]
        raw = values.astype(values.dtype.newbyteorder("<")).tobytes() if len(values) else b""
        literal_rows = np.flatnonzero(encoded.literals)
        marks = column.cells if encoded.marks is None else encoded.marks
        made = cls(encoded.numbers, marks, literal_rows, raw, encoded.encoding, column.style)
        return replace(made, sentinels=encoded.sentinels)

    def values(self, dtype: str) -> NDArray[Any]:
        """The values ``(rows,)`` of a column of that type; 0 or ``""`` where there is none."""
        storages = storages_of(dtype)
        storage = np.dtype("object" if self.encoding.kind == "words" else storages[0])
        values = self.encoding.values(self.numbers, storage.name)
        if self.literals:
            values[self.literal_rows] = np.frombuffer(self.literals, storage.newbyteorder("<"))
        values[self.marks != VALUE] = "" if storage.kind == "O" else 0
        for number, sentinel in enumerate(self.sentinels):
            values[self.marks == SENTINEL + number] = sentinel
        return values


@dataclass(frozen=True)
class Chunk:
    """A chunk that was read.

    Args:
        columns: of its rows.
        lines: what an origin says of these rows alone.
    """

    columns: list[ColumnChunk]
    lines: dict[str, Any] = field(default_factory=dict)


def encode_chunk(
    piece: Table,
    encoded: Sequence[EncodedColumn],
    *,
    first_row: int,
    header_text: bytes,
    independent: bool = False,
    model: Model | None = None,
    mixing: bool = False,
) -> tuple[bytes, int]:
    """The chunk that holds the rows of ``piece``, from the table's row ``first_row`` on.

    Each column is predicted from those before it, unless they are ``independent``, and coded by the ``model``, or
    by ``mixing``, where that takes fewer bytes. Also returns how many were fewer for the model.
    """
    matrices: matrix.Matrices = {}
    if not independent:
        encoded, matrices = matrix.find_matrices(piece, encoded, mixing=mixing and model is None)
    columns = [ColumnChunk.of_column(column, found) for column, found in zip(piece.columns, encoded, strict=True)]
    described = pack(as_text(describe_chunk(piece, encoded)), KNOWN_TEXT + header_text)
    data = bytearray(varint(first_row) + varint(piece.n_rows) + varint(len(described)) + described)
    previous: list[Integers] = []
    all_saved = in_matrix = 0
    for number, column in enumerate(columns):
        data += encode_cells(column.marks, [one.marks for one in columns[:number]], len(column.sentinels))
        data += varint(len(column.literal_rows)) + varints(np.diff(column.literal_rows, prepend=0)) + column.literals
        if number in matrices:
            in_matrix, coded = matrices[number]
            data += coded
        if in_matrix:
            in_matrix -= 1
        else:
            earlier = [] if independent else previous
            coded, saved = encode_column(column.numbers, earlier, model=model, mixing=mixing)
            data += coded
            all_saved += saved
        previous.append(column.numbers)
    data += digest_of(columns)
    framed = bytes([KIND]) + varint(len(data)) + data
    return framed + crc32_bytes(framed), all_saved


def parse_frame(data: bytes) -> tuple[int, int]:
    """The sizes of what stands before the body of the chunk that begins here, and of the body.

    Raises:
        DamageError: none does.
    """
    cursor = Cursor(data)
    if cursor.take(1)[0] != KIND:
        raise DamageError("no chunk begins where one should")
    size = cursor.varint()
    if size > MOST_SIZE:
        raise DamageError(f"it says that it has {size} bytes")
    return cursor.position, size


def may_begin(data: bytes, *, header_text: bytes) -> bool:
    """Whether a chunk may begin with such bytes: its description does, as far as these tell."""
    try:
        cursor = Cursor(data)
        cursor.position, size = parse_frame(data)
        for _ in range(2):
            cursor.varint()
        described = cursor.varint()
        if described > size:
            return False
        start = data[cursor.position : cursor.position + described]
        text = zlib.decompressobj(RAW, zdict=KNOWN_TEXT + header_text).decompress(start, 1)
    except (DamageError, zlib.error):
        return False
    return text == b"{" if len(start) == described else text in (b"{", b"")


def check_frame(data: bytes) -> Cursor:
    """The body of a whole chunk, without its digest.

    Raises:
        DamageError: its size or its checksum is wrong.
    """
    if len(data) < LEAST_SIZE:
        raise DamageError(f"only {len(data)} of its bytes are here" if data else "it is not here")
    if crc32_bytes(data[:-4]) != data[-4:]:
        raise DamageError("its checksum does not match its bytes")
    start, size = parse_frame(data)
    if start + size + 4 != len(data):
        raise DamageError(f"it has {len(data)} bytes and says {start + size + 4}")
    cursor = Cursor(data[:-6])
    cursor.position = start
    return cursor


def decode_chunk(
    data: bytes, schema: TableSchema, *, header_text: bytes, rows: slice, model: Model | None = None
) -> Chunk:
    """What :func:`encode_chunk` was given, but for its values: columns as integers.

    Args:
        data: the chunk.
        schema, header_text: what the header says, and its JSON.
        rows: that it should hold.
        model: that of the file, if it has one.

    Raises:
        DamageError: there is no such chunk in these bytes.
    """
    cursor = check_frame(data)
    first_row, n_rows = cursor.varint(), cursor.varint()
    if (first_row, n_rows) != (rows.start, rows.stop - rows.start):
        raise DamageError(f"it holds {n_rows} rows from row {first_row + 1} on, not those that it should")
    check_rows(n_rows, len(schema.columns))
    meta, _ = unpack(cursor.take(cursor.varint()), n_rows, len(data), known=KNOWN_TEXT + header_text)
    about = parse_chunk_schema(meta, schema, n_rows)
    columns: list[ColumnChunk] = []
    previous: list[Integers] = []
    pending: list[Integers] = []
    for column, described in zip(schema.columns, about.columns, strict=True):
        start = cursor.position
        encoding = described.encoding(column)
        sentinels = described.sentinels_of(column)
        marks = decode_cells(cursor, n_rows, [one.marks for one in columns], len(sentinels))
        size = np.dtype(column.dtype).itemsize if column.dtype in FLOATS else 0
        literal_rows, literals = parse_literals(cursor, n_rows, size)
        if not pending and cursor.data[cursor.position : cursor.position + 1] == bytes([matrix.KIND]):
            cursor.take(1)
            pending = matrix.decode_matrix(cursor, n_rows, len(schema.columns) - len(columns))[::-1]
        if pending:
            numbers, name = pending.pop(), matrix.NAME
        else:
            numbers, name = decode_column(cursor, n_rows, previous=previous, model=model)
        style = described.style.model_dump(exclude_unset=True)
        n_bytes = cursor.position - start
        columns.append(ColumnChunk(numbers, marks, literal_rows, literals, encoding, style, name, sentinels, n_bytes))
        previous.append(numbers)
    if cursor.position != len(cursor.data):
        raise DamageError(f"{len(cursor.data) - cursor.position} bytes follow its last column")
    if digest_of(columns) != data[-6:-4]:
        raise DamageError("its values do not match their digest")
    return Chunk(columns, about.lines.model_dump(exclude_unset=True))


def check_rows(n_rows: int, n_columns: int) -> None:
    """Do nothing where a chunk may have so many rows.

    Raises:
        DamageError: none, or too many.
    """
    if not 1 <= n_rows <= most_rows(n_columns):
        raise DamageError(f"{n_rows} rows of {n_columns} columns are not what a chunk holds")


def parse_literals(cursor: Cursor, n_rows: int, size: int) -> tuple[Integers, bytes]:
    """Rows of literals, and their bytes, ``size`` of each.

    Raises:
        DamageError: there are none such.
    """
    count = cursor.varint()
    if count > n_rows:
        raise DamageError(f"it holds {count} literals in {n_rows} rows")
    steps = take_varints(cursor, count)
    rows = steps.cumsum()
    if count and not (steps.max() < n_rows and rows[-1] < n_rows):
        raise DamageError("a literal stands outside its rows")
    return rows, cursor.take(count * size)


def digest_of(columns: Iterable[ColumnChunk]) -> bytes:
    """Two bytes of a checksum over numbers and cells: it tells a model that is not the writer's."""
    total = 0
    for column in columns:
        numbers = np.ascontiguousarray(column.numbers, "<i8")
        total = zlib.crc32(np.ascontiguousarray(column.marks).data, zlib.crc32(numbers.data, total))
    return (total & 0xFFFF).to_bytes(2, "little")
