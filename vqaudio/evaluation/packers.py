"""General compressors, and principal components, for columns of integers: what tables are compared with."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import require

GZIP_LEVEL = 9
ZSTD_LEVEL = 19
WINDOW = 32
"""Rows of a window, where a single column leaves nothing else to take components of."""
LEAST_ROWS = 16
NARROW = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64)
MOST_COMPONENTS = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Integers:
    """A column as a ``.vq`` file holds it: int64 ``(rows,)``, and the bytes of values that stand for themselves."""

    numbers: NDArray[np.int64]
    literals: bytes = b""

    def narrow(self) -> NDArray[Any]:
        """The numbers in the narrowest type that holds them."""
        least, greatest = int(self.numbers.min()), int(self.numbers.max())
        fitting = (np.iinfo(kind) for kind in NARROW)
        return self.numbers.astype(next(kind.dtype for kind in fitting if kind.min <= least and greatest <= kind.max))


def _bytes(columns: Sequence[Integers]) -> bytes:
    """All columns, one after another, little-endian."""
    return b"".join(_little(column.narrow()) + column.literals for column in columns)


def _little(numbers: NDArray[Any]) -> bytes:
    return numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()


def _differences(columns: Sequence[Integers]) -> bytes:
    return _bytes([Integers(np.diff(column.numbers, prepend=np.int64(0)), column.literals) for column in columns])


def _text(columns: Sequence[Integers]) -> bytes:
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


def _parquet(columns: Sequence[Integers]) -> bytes:
    arrow = require("pyarrow")
    arrays = [arrow.array(column.narrow()) for column in columns]
    file = io.BytesIO()
    table = arrow.Table.from_arrays(arrays, list(map(str, range(len(arrays)))))
    require("pyarrow.parquet").write_table(table, file, compression="zstd", compression_level=ZSTD_LEVEL)
    return file.getvalue() + b"".join(column.literals for column in columns)


PACKERS: dict[str, Callable[[Sequence[Integers]], bytes]] = {
    "gzip": lambda columns: _gzip(_bytes(columns)),
    "gzip of CSV": lambda columns: _gzip(_text(columns)),
    "zstd": lambda columns: zstd(_bytes(columns)),
    "zstd of CSV": lambda columns: zstd(_text(columns)),
    "zstd of differences": lambda columns: zstd(_differences(columns)),
    "Parquet-zstd": _parquet,
}
"""Columns to bytes, each compressor at the level that makes the least of them (zstd: the last below "ultra")."""


# ------------------------------------------------------------------------------------------------ principal components


@dataclass(frozen=True)
class Components:
    """Values rebuilt from principal components.

    Args:
        n_bytes: of mean and components in float32, and of the scores, rounded to a step and compressed with zstd.
        kept, most: how many components were kept, and how many there are.
        decoded: float64, as the values.
    """

    n_bytes: int
    kept: int
    most: int
    decoded: Floats


def by_components(values: Floats, rms_error: float) -> Components | None:
    """Principal components that rebuild ``values`` (rows, columns) with an error of about that root mean square.

    As many are kept as make the least of them. A single column is cut into windows of 32 rows. Returns None where there
    is no error to share, where there are few rows, or numbers that floats cannot square.
    """
    if len(values) < LEAST_ROWS or not rms_error > 0 or not np.abs(values).max() < 1e100:
        return None
    n_columns = values.shape[1]
    rows = _windows(values[:, 0]) if n_columns == 1 else values
    if not np.ptp(rows, axis=0).any():
        return None
    pca = require("sklearn.decomposition").PCA(min(*rows.shape, MOST_COMPONENTS), svd_solver="full").fit(rows)
    total = float(rows.var(axis=0).sum())
    kept, step = _kept(pca.singular_values_**2 / len(rows), total, rms_error, rows.shape)
    if not kept:
        return None
    mean, basis = (array.astype(np.float32) for array in (pca.mean_, pca.components_[:kept]))
    scores = np.rint(pca.transform(rows)[:, :kept] / step)
    if np.abs(scores).max() >= 2**53:
        return None
    packed = zstd(b"".join(_little(Integers(column).narrow()) for column in scores.astype(np.int64).T))
    decoded = (scores * step @ basis.astype(np.float64) + mean).reshape(-1, n_columns)[: len(values)]
    return Components(len(packed) + basis.nbytes + mean.nbytes + 4, kept, min(rows.shape), decoded)


def _kept(variances: Floats, total: float, rms_error: float, shape: tuple[int, int]) -> tuple[int, float]:
    """How many components to keep, and the step to round their scores to; 0 of them where none suffice.

    What is left out and what rounding adds, ``step**2 / 12`` in each component kept, share the error. A score is taken
    to cost the entropy of a rounded Gaussian, a component 32 bits a column.
    """
    n_rows, n_columns = shape
    best, least = (0, 0.0), math.inf
    for kept in range(1, len(variances) + 1):
        left_out = max(0.0, total - float(variances[:kept].sum()))
        room = rms_error**2 * n_columns - left_out
        if room <= 0:
            continue
        step = math.sqrt(12 * room / kept)
        each = 0.5 * np.log2(2 * math.pi * math.e * np.maximum(variances[:kept], 1e-300)) - math.log2(step)
        bits = n_rows * float(np.maximum(each, 0).sum()) + 32 * kept * n_columns
        if bits < least:
            best, least = (kept, step), bits
    return best


def _windows(values: Floats) -> Floats:
    """``(rows,)`` as ``(windows, 32)``, the last one filled up with its last value."""
    short = -len(values) % WINDOW
    return np.pad(values, (0, short), "edge").reshape(-1, WINDOW)


def plain(values: Floats) -> Floats:
    """Values with each gap filled by the value before it, or the first one there is; 0 where there is none."""
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros_like(values)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(values)), int(np.argmax(known))))
    return np.asarray(values[latest])
