"""The search for a predictor in Python and numpy, over all rows: what the kernels of that name are compared with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from kernel_references import delayed

from vqaudio.series.arrays import Floats, Integers
from vqaudio.series.prediction.fitting import reference_columns
from vqaudio.series.prediction.predictor import (
    MOST_LAGS,
    MOST_SHIFT,
    ORDERS,
    REFERENCE_ROWS,
    Difference,
    Linear,
    Predictor,
    centre_of,
)

LAGS = (1, 2, 4, 8, 16, MOST_LAGS)
SHIFTS = (6, 8, 10, 12, 14, 16, MOST_SHIFT)
"""Weights are in units of ``2 ** -shift``."""
TRIAL_SHIFT = 16
"""The shift at which numbers of lags are compared."""
ROWS_PER_WEIGHT = 16
"""A weight takes a byte or two, so that fewer rows cannot be worth one."""
WIDEST_RANGE = 2**40
"""Columns of a wider range are coded by differences."""
LARGEST_CENTRE = 2**61
"""Columns around greater numbers are, too."""
EXACT = 2**53
"""Floats hold all integers below."""
RIDGE = 1e-6
BLOCK = 64

Candidate = tuple[Predictor, Integers]
"""A predictor, and the residuals that it leaves."""


def predict(values: Integers, previous: Sequence[Integers]) -> tuple[Predictor, list[int]]:
    """The predictor that seems cheapest, and its residuals.

    Args:
        values: of one column in a chunk, int64 ``(rows,)``.
        previous: the chunk's columns before, of the same length.
    """
    differences: Iterator[Candidate] = map(lambda order, left: (Difference(order), left), ORDERS, _differences(values))
    best = min(differences, key=_cost)
    if best[1].any():
        best = min([best, *_linear(values, previous)], key=_cost)
    return best[0], best[1].tolist()


def _cost(candidate: Candidate) -> int:
    """About what a predictor and its residuals take, in 1/1024 bits; the same on every machine.

    Residuals cost by the logarithm of their mean size, drawn with straight lines between powers of two, 64 at a time.
    """
    predictor, residuals = candidate
    sizes = np.minimum(np.abs(residuals.astype(np.float64)), 2.0**46)  # 64 of them add up exactly, in any order
    starts = np.arange(0, len(sizes), BLOCK)
    counts = np.minimum(BLOCK, len(sizes) - starts)
    mantissas, exponents = np.frexp(np.add.reduceat(sizes, starts) / counts + 0.25)
    bits = exponents + 2 * mantissas + 0.125
    return 8192 * len(predictor.to_bytes()) + int((counts * bits * 1024).astype(np.int64).sum())


def _differences(values: Integers) -> Iterator[Integers]:
    """Values, their differences, the differences of those, and so on."""
    while True:
        yield values
        values = np.concatenate([values[:1], values[1:] - values[:-1]])


def _linear(values: Integers, previous: Sequence[Integers]) -> list[Candidate]:
    """Linear predictors of the best number of lags, with references or without, at each precision of the weights."""
    most = len(values) // ROWS_PER_WEIGHT
    if not most or _range(values) >= WIDEST_RANGE or abs(centre_of(values)) >= LARGEST_CENTRE:
        return []
    most_references = most // len(REFERENCE_ROWS)
    fit = _LeastSquares(values, previous, reference_columns(values, previous)[:most_references])
    choices = [(lags, count) for lags in LAGS if lags <= most for count in sorted({0, len(fit.references)})]
    tried = [(made, choice) for choice in choices if (made := fit.candidate(*choice, TRIAL_SHIFT)) is not None]
    if not tried:
        return []
    _, best = min(tried, key=lambda one: _cost(one[0]))
    return [made for shift in SHIFTS if (made := fit.candidate(*best, shift)) is not None]


class _LeastSquares:
    """The terms of linear predictors of one column, and their sums of products."""

    def __init__(self, values: Integers, previous: Sequence[Integers], references: list[int]):
        self.references, self.centre, self.values = references, centre_of(values), values - centre_of(values)
        terms = [delayed(self.values, lag) for lag in range(1, MOST_LAGS + 1)]
        terms += [
            delayed(previous[column] - centre_of(previous[column]), -row)
            for column in references
            for row in REFERENCE_ROWS
        ]
        self.terms = np.stack(terms, 1).astype(np.float64)
        self.largest = float(np.abs(self.terms).max())
        self.products = _products(np.column_stack([self.terms, self.values]))

    def candidate(self, n_lags: int, n_references: int, shift: int) -> Candidate | None:
        """The predictor from the first lags and references; None where floats might not be exact."""
        width = len(REFERENCE_ROWS)
        chosen = [*range(n_lags), *range(MOST_LAGS, MOST_LAGS + n_references * width)]
        weights = [round(weight * 2**shift) for weight in _solve(self.products, chosen)]
        if self.largest * (sum(map(abs, weights)) + (2 << shift)) >= EXACT:
            return None
        predicted = (self.terms[:, chosen] @ np.array(weights, np.float64)).astype(np.int64)
        of_references = [tuple(weights[at : at + width]) for at in range(n_lags, len(weights), width)]
        pairs = tuple(zip(self.references[:n_references], of_references, strict=True))
        return Linear(shift, self.centre, tuple(weights[:n_lags]), pairs), _residuals(self.values, predicted, shift)


def _range(values: Integers) -> int:
    return int(values.max()) - int(values.min())


def _products(matrix: Floats) -> Floats:
    """Sums of products of all pairs of columns; the same whichever way they are added up, since all are integers."""
    room = (53 - len(matrix).bit_length()) // 2
    too_wide = max(0, int(np.abs(matrix).max()).bit_length() - room)
    small = np.floor(matrix * 2.0**-too_wide)
    return small.T @ small


def _solve(products: Floats, chosen: list[int]) -> list[float]:
    """Least squares for the last column from the chosen ones, by Cholesky's method, in an order that is fixed."""
    rows = [products[at, chosen].tolist() for at in chosen]
    energy = float(products[-1, -1])
    lower: list[list[float]] = []
    for i, row in enumerate(rows):
        made: list[float] = []
        for j in range(i):
            made.append((row[j] - _dot(made, lower[j])) / lower[j][j])
        ridge = RIDGE * (energy + row[i]) + 1.0  # far more than rounding can take away
        made.append(math.sqrt(row[i] + ridge - _dot(made, made)))
        lower.append(made)
    forward: list[float] = []
    for i, target in enumerate(products[chosen, -1].tolist()):
        forward.append((target - _dot(forward, lower[i])) / lower[i][i])
    weights = [0.0] * len(chosen)
    for i in reversed(range(len(chosen))):
        behind = _dot([lower[j][i] for j in range(i + 1, len(chosen))], weights[i + 1 :])
        weights[i] = (forward[i] - behind) / lower[i][i]
    return weights


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    """Added up from the left; ``sum`` of later Pythons makes up for rounding."""
    total = 0.0
    for a, b in zip(one, other, strict=False):
        total += a * b
    return total


def _residuals(values: Integers, predicted: Integers, shift: int) -> Integers:
    """What predictions in units of ``2 ** -shift`` leave; positive on the side where they lie."""
    nearest = (predicted + (1 << shift >> 1)) >> shift
    return np.where(predicted < nearest << shift, nearest - values, values - nearest)
