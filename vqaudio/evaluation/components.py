"""Principal components of columns, or of windows of a single one: what tables are compared with beside packers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vqaudio.evaluation import require
from vqaudio.evaluation.packers import IntegerColumn, little_endian, zstd
from vqaudio.series.arrays import Floats

WINDOW = 32
"""Rows of a window, where a single column leaves nothing else to take components of."""
LEAST_ROWS = 16
MOST_COMPONENTS = 64


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


def compress_by_components(values: Floats, rms_error: float) -> Components | None:
    """Principal components that rebuild ``values`` ``(rows, columns)`` with an error of about that root mean square.

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
    packed = zstd(b"".join(little_endian(IntegerColumn(column).narrow()) for column in scores.astype(np.int64).T))
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


def fill_gaps(values: Floats) -> Floats:
    """Values with each gap filled by the value before it, or the first one there is; 0 where there is none."""
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros_like(values)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(values)), int(np.argmax(known))))
    return np.asarray(values[latest])
