"""What kernels compute, value by value in Python: slow, and plain to read. Kernels are compared with these."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from vqaudio.series.arrays import Integers
from vqaudio.series.prediction.predictor import REFERENCE_ROWS, Linear, centre_of


def restore_linear(residuals: Sequence[int], known: Sequence[int], *, weights: Sequence[int], shift: int) -> list[int]:
    """Values less the column's centre; ``known`` is what references contribute, ``weights`` begin with the last lag."""
    reversed_weights, values = list(weights)[::-1], [0] * len(weights)
    half = 1 << shift >> 1
    for row, (residual, of_references) in enumerate(zip(residuals, known, strict=True)):
        predicted = of_references + sum(map(operator.mul, reversed_weights, values[row:]))
        nearest = (predicted + half) >> shift
        values.append(nearest - residual if predicted < nearest << shift else nearest + residual)
    return values[len(weights) :]


def from_references(linear: Linear, previous: Sequence[Integers], n_rows: int) -> Integers:
    """What reference columns contribute to each row, in units of ``2 ** -shift``: int64 ``(rows,)``."""
    total = np.zeros(n_rows, np.int64)
    for column, weights in linear.references:
        for row, weight in zip(REFERENCE_ROWS, weights, strict=True):
            total += weight * delayed(previous[column] - centre_of(previous[column]), -row)
    return total


def predictions(linear: Linear, values: Integers, previous: Sequence[Integers]) -> Integers:
    """The predictions of all rows, less the centre, in units of ``2 ** -shift``: int64 ``(rows,)``."""
    own, predicted = values - linear.centre, from_references(linear, previous, len(values))
    for lag, weight in enumerate(linear.lag_weights, 1):
        predicted += weight * delayed(own, lag)
    return predicted


def delayed(values: Integers, rows: int) -> Integers:
    """Each row's value from so many rows before (after, if negative), and 0 where there is none."""
    result = np.zeros_like(values)
    if rows <= 0:
        result[: max(0, len(values) + rows)] = values[-rows:]
    else:
        result[rows:] = values[:-rows]
    return result
