"""General compressors for columns of integers: what tables are compared with."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import require

GZIP_LEVEL = 9
ZSTD_LEVEL = 19
NARROW = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64)


@dataclass(frozen=True)
class IntegerColumn:
    """A column as a ``.vq`` file holds it: int64 ``(rows,)``, and the bytes of values that stand for themselves."""

    numbers: NDArray[np.int64]
    literals: bytes = b""

    def narrow(self) -> NDArray[Any]:
        """The numbers in the narrowest type that holds them."""
        least, greatest = int(self.numbers.min()), int(self.numbers.max())
        fitting = (np.iinfo(kind) for kind in NARROW)
        return self.numbers.astype(next(kind.dtype for kind in fitting if kind.min <= least and greatest <= kind.max))


def _bytes(columns: Sequence[IntegerColumn]) -> bytes:
    """All columns, one after another, little-endian."""
    return b"".join(little_endian(column.narrow()) + column.literals for column in columns)


def little_endian(numbers: NDArray[Any]) -> bytes:
    """The bytes of some numbers, in their own type."""
    return numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()


def _differences(columns: Sequence[IntegerColumn]) -> bytes:
    return _bytes([IntegerColumn(np.diff(column.numbers, prepend=np.int64(0)), column.literals) for column in columns])


def _text(columns: Sequence[IntegerColumn]) -> bytes:
    """The numbers as CSV."""
    rows = zip(*(column.numbers.tolist() for column in columns), strict=True)
    lines = "\n".join(",".join(map(str, row)) for row in rows)
    return lines.encode() + b"".join(column.literals for column in columns)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, GZIP_LEVEL, mtime=0)


def zstd(data: bytes) -> bytes:
    """Compressed by zstd at its level 19."""
    codec = require("pyarrow").Codec("zstd", compression_level=ZSTD_LEVEL)
    packed: bytes = codec.compress(data, asbytes=True)
    return packed


def _parquet(columns: Sequence[IntegerColumn]) -> bytes:
    arrow = require("pyarrow")
    arrays = [arrow.array(column.narrow()) for column in columns]
    file = io.BytesIO()
    table = arrow.Table.from_arrays(arrays, list(map(str, range(len(arrays)))))
    require("pyarrow.parquet").write_table(table, file, compression="zstd", compression_level=ZSTD_LEVEL)
    return file.getvalue() + b"".join(column.literals for column in columns)


PACKERS: dict[str, Callable[[Sequence[IntegerColumn]], bytes]] = {
    "gzip": lambda columns: _gzip(_bytes(columns)),
    "gzip of CSV": lambda columns: _gzip(_text(columns)),
    "zstd": lambda columns: zstd(_bytes(columns)),
    "zstd of CSV": lambda columns: zstd(_text(columns)),
    "zstd of differences": lambda columns: zstd(_differences(columns)),
    "Parquet-zstd": _parquet,
}
"""Columns to bytes, each compressor at the level that makes the least of them (zstd: the last below "ultra")."""
