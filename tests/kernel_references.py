"""What kernels compute, value by value in Python: slow, and plain to read. Kernels are compared with these."""

from __future__ import annotations

import operator
from collections.abc import Sequence


def restore_linear(residuals: Sequence[int], known: Sequence[int], *, weights: Sequence[int], shift: int) -> list[int]:
    """Values less the column's centre; ``known`` is what references contribute, ``weights`` begin with the last lag."""
    reversed_weights, values = list(weights)[::-1], [0] * len(weights)
    half = 1 << shift >> 1
    for row, (residual, of_references) in enumerate(zip(residuals, known, strict=True)):
        predicted = of_references + sum(map(operator.mul, reversed_weights, values[row:]))
        nearest = (predicted + half) >> shift
        values.append(nearest - residual if predicted < nearest << shift else nearest + residual)
    return values[len(weights) :]
