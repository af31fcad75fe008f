"""The index at the end of a table's file: where its chunks are, what rows and what times they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, unzigzag, varint, zigzag
from vqaudio.series.table import Column

KIND = 0x7E
"""The byte that it begins with."""
TAIL = 5
"""Bytes at its end: of its checksum, and of its size."""
MOST_SIZE = 2**24 - 1
MOST_TIME = 2**62


@dataclass(frozen=True)
class IndexEntry:
    """A chunk as the index lists it.

    Args:
        n_rows: of it.
        size: bytes.
        times: least and greatest value of the clock column; None where it has none, or there is no such column.
    """

    n_rows: int
    size: int
    times: tuple[int, int] | None = None


def clock_of(dtypes: Iterable[str]) -> int | None:
    """The first column of dates or time stamps, which rows are found by; None where there is none."""
    return next((number for number, dtype in enumerate(dtypes) if dtype.startswith(("timestamp", "date"))), None)


def times_of(column: Column) -> tuple[int, int] | None:
    """Least and greatest value of a column of times; None where it has no values."""
    known = column.values[column.known]
    return (int(np.min(known)), int(np.max(known))) if len(known) else None


def to_bytes(entries: Sequence[IndexEntry], clock: int | None) -> bytes | None:
    """The trailer of a file with such chunks; ``clock`` is the number of the column of times, if there is one.

    None for so many chunks that no trailer holds them, which a reader looks for then.
    """
    data = bytes([KIND]) + varint(len(entries))
    data += b"".join(varint(entry.n_rows) + varint(entry.size) for entry in entries)
    times = [entry.times for entry in entries]
    if clock is None or len(entries) < 2 or any(max(map(abs, pair)) >= MOST_TIME for pair in times if pair):
        data += varint(0)
    else:
        data += varint(clock + 1) + _times_to_bytes(times)
    size = len(data) + TAIL
    return data + crc16_bytes(data) + size.to_bytes(3, "little") if size <= MOST_SIZE else None


def _times_to_bytes(times: Sequence[tuple[int, int] | None]) -> bytes:
    """Of each chunk 0, or 1 + what its times span, and how far its least is from the greatest of the one before."""
    data, latest = b"", 0
    for pair in times:
        if pair is None:
            data += varint(0)
            continue
        data += varint(1 + pair[1] - pair[0]) + varint(zigzag(pair[0] - latest))
        latest = pair[1]
    return data


def parse(data: bytes, n_columns: int) -> tuple[list[IndexEntry], int | None]:
    """The chunks that a whole trailer lists, and the number of the column of times.

    Raises:
        DamageError: it is none.
    """
    if len(data) < TAIL or crc16_bytes(data[:-TAIL]) != data[-TAIL:-3]:
        raise DamageError("its checksum does not match its bytes")
    cursor = Cursor(data[:-TAIL])
    if cursor.take(1)[0] != KIND:
        raise DamageError("it begins with another byte")
    count = cursor.varint()
    if count > len(data):
        raise DamageError(f"{len(data)} bytes do not list {count} chunks")
    pairs = [(cursor.varint(), cursor.varint()) for _ in range(count)]
    clock = cursor.varint() - 1
    if clock >= n_columns:
        raise DamageError(f"its times are those of column {clock}, expected one of {n_columns}")
    times = _parse_times(cursor, count) if clock >= 0 else [None] * count
    if cursor.position != len(cursor.data):
        raise DamageError("it goes on after its last chunk")
    entries = [IndexEntry(*pair, some) for pair, some in zip(pairs, times, strict=True)]
    return entries, clock if clock >= 0 else None


def _parse_times(cursor: Cursor, count: int) -> list[tuple[int, int] | None]:
    times: list[tuple[int, int] | None] = []
    latest = 0
    for _ in range(count):
        width = cursor.varint()
        if not width:
            times.append(None)
            continue
        least = latest + unzigzag(cursor.varint())
        latest = least + width - 1
        times.append((least, latest))
    return times
