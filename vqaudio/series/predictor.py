"""Integer prediction: a column's values from those before them and from other columns, exact on every machine.

A chunk of a column is coded by one of two predictors, whichever seems cheaper:

- a **difference** of order 0 to 3, modulo 2**64: for clocks, counters, steps, and integers of any size;
- a **linear** prediction from up to 32 values before and from up to six columns that are known already, at the row
  before, at the same row and at the next. Its weights are integers over a power of two, fitted by least squares and
  stored, so that only the writer needs to find them.

A linear prediction lies between two integers as a rule. Its residual is counted from the nearer one, and is positive on
the side of the other, since values there are the likelier ones.

Weights come from exact sums and from floats in a fixed order, so writers agree on every machine too. Source: Atal and
Hanauer, "Speech analysis and synthesis by linear prediction of the speech wave", 1971 (covariance method); coding
against several channels follows Ghido and Tabus, "Optimization-quantization for least squares estimates", 2007.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, unzigzag, varint, zigzag

Integers = NDArray[np.int64]

ORDERS = range(4)
LINEAR = len(ORDERS)
"""Kinds below are differences of that order."""
LAGS = (1, 2, 4, 8, 16, 32)
SHIFTS = (6, 8, 10, 12, 14, 16, 20)
"""Weights are in units of ``2 ** -shift``."""
MOST_SIDES = 6
MOST_COMPARED = 64
"""Other columns are sought among so many before: what a table takes grows with its columns, not with their square."""
SIDE_ROWS = (-1, 0, 1)
FINE = 16
"""The shift at which numbers of lags are compared."""
ROWS_PER_WEIGHT = 16
"""A weight takes a byte or two, so that fewer rows cannot be worth one."""
WIDEST = 2**40
"""Columns that reach further are coded by differences."""
FARTHEST = 2**61
"""Columns around greater numbers are, too."""
EXACT = 2**53
"""Floats hold all integers below."""
MOST_VALUE = 2**64
"""Values of 64 bits less their centre are smaller."""
STEP_BITS = 20
RIDGE = 1e-6
BLOCK = 64


@dataclass(frozen=True)
class Linear:
    """A linear predictor: ``centre + sum(weight * (value - its centre)) / 2**shift``.

    Args:
        shift: the exponent of the weights' unit.
        centre: of the column.
        own: weights of the values before, the last one first.
        sides: columns that are known already, by number, and the weights of their rows before, at and after.
    """

    shift: int
    centre: int
    own: tuple[int, ...]
    sides: tuple[tuple[int, tuple[int, ...]], ...] = ()

    def to_bytes(self) -> bytes:
        """As :meth:`read` expects it."""
        numbers = [self.shift, zigzag(self.centre), len(self.own), *map(zigzag, self.own), len(self.sides)]
        for column, weights in self.sides:
            numbers += [column, *map(zigzag, weights)]
        return b"".join(map(varint, numbers))

    @classmethod
    def read(cls, cursor: Cursor, n_known: int) -> Linear:
        """The next predictor in some bytes, in a chunk of which so many columns are known."""
        shift, centre = cursor.varint(), unzigzag(cursor.varint())
        own = tuple(unzigzag(cursor.varint()) for _ in range(_at_most(LAGS[-1], cursor.varint())))
        sides = []
        for _ in range(_at_most(MOST_SIDES, cursor.varint())):
            column = _at_most(n_known - 1, cursor.varint())
            sides.append((column, tuple(unzigzag(cursor.varint()) for _ in SIDE_ROWS)))
        return cls(_at_most(SHIFTS[-1], shift), centre, own, tuple(sides))

    def known(self, columns: Sequence[Integers], n_rows: int) -> Integers:
        """What the other columns contribute to each row, in units of ``2 ** -shift``."""
        total = np.zeros(n_rows, np.int64)
        for column, weights in self.sides:
            for row, weight in zip(SIDE_ROWS, weights, strict=True):
                total += weight * moved(centred(columns[column]), row)
        return total


def _at_most(limit: int, value: int) -> int:
    if value > limit:
        raise DamageError(f"its predictor holds {value} where at most {limit} is possible")
    return value


def centre_of(values: Integers) -> int:
    """The middle between the least and the greatest."""
    return (int(values.min()) + int(values.max())) // 2


def centred(values: Integers) -> Integers:
    """Values without their centre."""
    return values - centre_of(values)


def moved(values: Integers, rows: int) -> Integers:
    """Each row's value from so many rows later (earlier if negative), and 0 where there is none."""
    result = np.zeros_like(values)
    if rows >= 0:
        result[: max(0, len(values) - rows)] = values[rows:]
    else:
        result[-rows:] = values[:rows]
    return result


# ---------------------------------------------------------------------------------------------------- values to bytes


def predict(values: Integers, columns: Sequence[Integers]) -> tuple[bytes, list[int]]:
    """The predictor that seems cheapest, as bytes, and its residuals.

    Args:
        values: of one column in a chunk, int64 ``(rows,)``.
        columns: those of the chunk's columns before, of the same length.
    """
    best = min(((bytes([order]), left) for order, left in zip(ORDERS, _differences(values), strict=False)), key=_cost)
    if best[1].any():
        best = min([best, *_linear(values, columns)], key=_cost)
    return best[0], best[1].tolist()


def _cost(candidate: tuple[bytes, Integers]) -> int:
    """About what a predictor and its residuals take, in 1/1024 bits; the same on every machine.

    Residuals cost by the logarithm of their mean size, drawn with straight lines between powers of two, 64 at a time.
    """
    head, residuals = candidate
    sizes = np.minimum(np.abs(residuals.astype(np.float64)), 2.0**46)  # 64 of them add up exactly, in any order
    starts = np.arange(0, len(sizes), BLOCK)
    counts = np.minimum(BLOCK, len(sizes) - starts)
    mantissas, exponents = np.frexp(np.add.reduceat(sizes, starts) / counts + 0.25)
    bits = exponents + 2 * mantissas + 0.125
    return 8192 * len(head) + int((counts * bits * 1024).astype(np.int64).sum())


def _differences(values: Integers) -> Iterator[Integers]:
    """Values, their differences, the differences of those, and so on."""
    while True:
        yield values
        values = np.concatenate([values[:1], values[1:] - values[:-1]])


def _linear(values: Integers, columns: Sequence[Integers]) -> list[tuple[bytes, Integers]]:
    """The linear predictor of the best number of lags, alone or beside other columns, with weights of any fineness."""
    most = len(values) // ROWS_PER_WEIGHT
    if not most or _reach(values) >= WIDEST or abs(centre_of(values)) >= FARTHEST:
        return []
    most_sides = most // len(SIDE_ROWS)
    fit = _Fit(values, columns, sides_of(values, columns)[:most_sides] if most_sides else [])
    choices = [(lags, used) for lags in LAGS if lags <= most for used in sorted({0, len(fit.sides)})]
    tried = [(made, choice) for choice in choices if (made := fit.predictor(*choice, FINE)) is not None]
    if not tried:
        return []
    _, best = min(tried, key=lambda one: _cost(one[0]))
    return [made for shift in SHIFTS if (made := fit.predictor(*best, shift)) is not None]


class _Fit:
    """The terms of linear predictors of one column, and their sums of products."""

    def __init__(self, values: Integers, columns: Sequence[Integers], sides: list[int]):
        self.sides, self.centre, self.own = sides, centre_of(values), centred(values)
        terms = [moved(self.own, -lag) for lag in range(1, LAGS[-1] + 1)]
        terms += [moved(centred(columns[side]), row) for side in sides for row in SIDE_ROWS]
        self.terms = np.stack(terms, 1).astype(np.float64)
        self.largest = float(np.abs(self.terms).max())
        self.products = _products(np.column_stack([self.terms, self.own]))

    def predictor(self, n_lags: int, n_sides: int, shift: int) -> tuple[bytes, Integers] | None:
        """One with the first of the lags and sides, and its residuals; None where floats might not be exact."""
        chosen = [*range(n_lags), *range(LAGS[-1], LAGS[-1] + n_sides * len(SIDE_ROWS))]
        weights = [round(weight * 2**shift) for weight in _solve(self.products, chosen)]
        if self.largest * (sum(map(abs, weights)) + (2 << shift)) >= EXACT:
            return None
        predicted = (self.terms[:, chosen] @ np.array(weights, np.float64)).astype(np.int64)
        beside = [tuple(weights[at : at + len(SIDE_ROWS)]) for at in range(n_lags, len(weights), len(SIDE_ROWS))]
        pairs = tuple(zip(self.sides[:n_sides], beside, strict=True))
        linear = Linear(shift, self.centre, tuple(weights[:n_lags]), pairs)
        return bytes([LINEAR]) + linear.to_bytes(), _fold(self.own, predicted, shift)


def _reach(values: Integers) -> int:
    return int(values.max()) - int(values.min())


def sides_of(values: Integers, columns: Sequence[Integers]) -> list[int]:
    """The columns, among the last ``MOST_COMPARED``, whose steps go most alongside those of ``values``."""
    compared = columns[-MOST_COMPARED:]
    if not compared:
        return []
    stacked = np.stack([*compared, values])
    reaches = list(map(operator.sub, stacked.max(1).tolist(), stacked.min(1).tolist()))
    shifts = [max(0, reach.bit_length() - STEP_BITS) for reach in reaches]
    steps = np.diff(stacked >> np.array(shifts)[:, None])
    energies = np.einsum("cr,cr->c", steps, steps).tolist()
    products, first = (steps @ steps[-1]).tolist(), len(columns) - len(compared)
    likeness = {
        first + at: -(products[at] ** 2) / max(1, energies[-1] * energies[at])
        for at in range(len(compared))
        if 0 < reaches[at] < WIDEST
    }
    return sorted(sorted(likeness, key=likeness.__getitem__)[:MOST_SIDES])


def _products(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of products of all pairs of columns; the same whichever way they are added up, since all are integers."""
    room = (53 - len(matrix).bit_length()) // 2
    too_wide = max(0, int(np.abs(matrix).max()).bit_length() - room)
    small = np.floor(matrix * 2.0**-too_wide)
    return small.T @ small


def _solve(products: NDArray[np.float64], chosen: list[int]) -> list[float]:
    """Least squares for the last column from the chosen ones, by Cholesky's method, in an order that is fixed."""
    rows = [products[at, chosen].tolist() for at in chosen]
    energy = float(products[-1, -1])
    lower: list[list[float]] = []
    for i, row in enumerate(rows):
        made: list[float] = []
        for j in range(i):
            made.append((row[j] - sum(map(operator.mul, made, lower[j]))) / lower[j][j])
        ridge = RIDGE * (energy + row[i]) + 1.0  # far more than rounding can take away
        made.append(math.sqrt(row[i] + ridge - sum(map(operator.mul, made, made))))
        lower.append(made)
    forward: list[float] = []
    for i, target in enumerate(products[chosen, -1].tolist()):
        forward.append((target - sum(map(operator.mul, forward, lower[i]))) / lower[i][i])
    weights = [0.0] * len(chosen)
    for i in reversed(range(len(chosen))):
        behind = sum(lower[j][i] * weights[j] for j in range(i + 1, len(chosen)))
        weights[i] = (forward[i] - behind) / lower[i][i]
    return weights


def _fold(values: Integers, predicted: Integers, shift: int) -> Integers:
    """Residuals from predictions in units of ``2 ** -shift``."""
    nearest = (predicted + (1 << shift >> 1)) >> shift
    return np.where(predicted < nearest << shift, nearest - values, values - nearest)


# ---------------------------------------------------------------------------------------------------- bytes to values


def restore(cursor: Cursor, residuals: Callable[[], list[int]], columns: Sequence[Integers]) -> Integers:
    """The values that :func:`predict` was given; DamageError where there are none such.

    Args:
        cursor: at the predictor's bytes.
        residuals: reads them; called once the predictor is read.
        columns: as :func:`predict` was given them.
    """
    kind = cursor.take(1)[0]
    if kind > LINEAR:
        raise DamageError(f"its predictor is of kind {kind}, unknown here")
    linear = Linear.read(cursor, len(columns)) if kind == LINEAR else None
    left = residuals()
    try:
        if linear is not None:
            return np.array(_recursion(linear, left, columns), np.int64)
        values = np.array(left, np.int64)
    except OverflowError:
        raise DamageError("its values do not fit 64 bits") from None
    for _ in range(kind):
        values = values.cumsum()
    return values


def name_ahead(cursor: Cursor, n_known: int) -> str:
    """What the predictor is called that ``cursor`` is at, and stays at, in a chunk with so many columns known."""
    start = cursor.position
    kind = cursor.take(1)[0]
    name = f"difference of order {kind}"
    if kind == LINEAR:
        name = "linear, with other columns" if Linear.read(cursor, n_known).sides else "linear"
    cursor.position = start
    return name


def _recursion(linear: Linear, residuals: list[int], columns: Sequence[Integers]) -> list[int]:
    weights, n_lags = linear.own[::-1], len(linear.own)
    half, shift = 1 << linear.shift >> 1, linear.shift
    values = [0] * n_lags
    for row, (residual, known) in enumerate(
        zip(residuals, linear.known(columns, len(residuals)).tolist(), strict=True)
    ):
        predicted = known + sum(map(operator.mul, weights, values[row:]))
        nearest = (predicted + half) >> shift
        value = nearest - residual if predicted < nearest << shift else nearest + residual
        if not -MOST_VALUE < value < MOST_VALUE:  # or weights that no writer chose would make numbers ever longer
            raise OverflowError
        values.append(value)
    return [value + linear.centre for value in values[n_lags:]]
