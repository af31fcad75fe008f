"""Rows of all columns to bytes that can be read by themselves, and back; docs/format.md specifies them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, crc32_bytes, varint
from vqaudio.series.arrays import Integers
from vqaudio.series.coding.column import decode_column, encode_column
from vqaudio.series.coding.model import Model
from vqaudio.series.encodings.base import ColumnEncoding, EncodedColumn
from vqaudio.series.table import NAN, VALUE, Column


@dataclass(frozen=True)
class ColumnChunk:
    """A column's share of a chunk.

    Args:
        numbers: int64 ``(rows,)``.
        cells: uint8 ``(rows,)`` of VALUE, NULL and NAN.
        literal_rows: int64; rows whose values stand for themselves,
        literals: and their bytes, one after another.
        predictor: what the numbers were predicted by, in words; known of those that were read.
    """

    numbers: Integers
    cells: NDArray[np.uint8]
    literal_rows: Integers
    literals: bytes
    predictor: str = ""

    @classmethod
    def of_rows(cls, column: Column, encoded: EncodedColumn, *, rows: slice) -> ColumnChunk:
        """Some rows of a column."""
        literal = encoded.literals[rows]
        values = column.values[rows][literal]
        raw = values.astype(values.dtype.newbyteorder("<")).tobytes() if len(values) else b""
        return cls(encoded.numbers[rows], column.cells[rows], np.flatnonzero(literal), raw)

    def values(self, encoding: ColumnEncoding, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The values ``(rows,)`` of that numpy type, which were encoded so; 0 or ``""`` where there is none."""
        values = encoding.values(self.numbers, dtype.name)
        if self.literals:
            values[self.literal_rows] = np.frombuffer(self.literals, dtype.newbyteorder("<"))
        values[self.cells != VALUE] = "" if dtype.kind == "O" else 0
        return values


def encode_chunk(
    index: int, columns: Sequence[ColumnChunk], *, independent: bool = False, model: Model | None = None
) -> tuple[bytes, int]:
    """Chunk number ``index``: its columns in order, a digest of them, and a checksum of all that.

    Each column is predicted from those before it, unless they are ``independent``, and coded by the ``model`` where
    that takes fewer bytes. Also returns how many that were fewer.
    """
    previous: list[Integers] = []
    data, all_saved = bytearray(varint(index)), 0
    for column in columns:
        data += _runs(column.cells) + varint(len(column.literal_rows))
        data += b"".join(map(varint, np.diff(column.literal_rows, prepend=0).tolist())) + column.literals
        coded, saved = encode_column(column.numbers, [] if independent else previous, model=model)
        data += coded
        all_saved += saved
        previous.append(column.numbers)
    data += _digest(columns)
    checked = bytes(data)
    return checked + crc32_bytes(checked), all_saved


def decode_chunk(
    data: bytes, index: int, *, n_rows: int, literal_sizes: Sequence[int], model: Model | None = None
) -> list[ColumnChunk]:
    """What :func:`encode_chunk` was given.

    Args:
        data: the chunk.
        index: the number that it should have.
        n_rows: that it should hold.
        literal_sizes: of each column, in bytes.
        model: that of the file, if it has one.

    Raises:
        DamageError: there is no such chunk in these bytes.
    """
    if len(data) < 6 or crc32_bytes(data[:-4]) != data[-4:]:
        raise DamageError("its checksum does not match its bytes")
    cursor = Cursor(data[:-6])
    if (found := cursor.varint()) != index:
        raise DamageError(f"its number is {found}, expected {index}")
    columns: list[ColumnChunk] = []
    previous: list[Integers] = []
    for size in literal_sizes:
        cells = _parse_runs(cursor, n_rows)
        literal_rows, literals = _parse_literals(cursor, n_rows, size)
        numbers, name = decode_column(cursor, n_rows, previous=previous, model=model)
        columns.append(ColumnChunk(numbers, cells, literal_rows, literals, name))
        previous.append(numbers)
    if cursor.position != len(cursor.data):
        raise DamageError(f"{len(cursor.data) - cursor.position} bytes follow its last column")
    if _digest(columns) != data[-6:-4]:
        raise DamageError("its values do not match their digest")
    return columns


def _runs(cells: NDArray[np.uint8]) -> bytes:
    """Lengths of runs of equal cells, each with what they hold; a single 0 where there are values alone."""
    if not (cells != VALUE).any():
        return varint(0)
    starts = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(cells)]
    runs = ((stop - start) * (NAN + 1) + int(cells[start]) for start, stop in pairwise(starts))
    return b"".join(map(varint, chain([len(starts) - 1], runs)))


def _parse_runs(cursor: Cursor, n_rows: int) -> NDArray[np.uint8]:
    n_runs = cursor.varint()
    if n_runs > n_rows:
        raise DamageError(f"it holds {n_runs} runs of cells in {n_rows} rows")
    if not n_runs:
        return np.full(n_rows, VALUE, np.uint8)
    lengths, cells = zip(*(divmod(cursor.varint(), NAN + 1) for _ in range(n_runs)), strict=True)
    if sum(lengths) != n_rows:
        raise DamageError(f"its runs of cells are {sum(lengths)} rows long, expected {n_rows}")
    return np.repeat(np.array(cells, np.uint8), lengths)


def _parse_literals(cursor: Cursor, n_rows: int, size: int) -> tuple[Integers, bytes]:
    """Rows of literals, and their bytes."""
    count = cursor.varint()
    if count > n_rows:
        raise DamageError(f"it holds {count} literals in {n_rows} rows")
    rows = np.array([cursor.varint() for _ in range(count)], np.uint64).cumsum().astype(np.int64)
    if count and not 0 <= rows.min() <= rows.max() < n_rows:
        raise DamageError("a literal stands outside its rows")
    return rows, cursor.take(count * size)


def _digest(columns: Sequence[ColumnChunk]) -> bytes:
    return crc16_bytes(b"".join(column.numbers.astype("<i8").tobytes() + column.cells.tobytes() for column in columns))
