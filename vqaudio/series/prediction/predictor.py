"""Predictors: a column's integers from those before them and from other columns, exact on every machine.

- A :class:`Difference` of order 0 to 3, modulo 2**64: for clocks, counters, steps, and integers of any size.
- A :class:`Linear` prediction from up to 32 values before and from up to six reference columns, which come before in
  the chunk, at the row before, at the same row and at the next. Its weights are integers over a power of two, stored
  in the file, so that only the writer needs to find them (:mod:`vqaudio.series.prediction.fitting`).

A linear prediction lies between two integers as a rule. Its residual is counted from the nearer one, and is positive on
the side of the other, since values there are the likelier ones.

Source: Atal and Hanauer, "Speech analysis and synthesis by linear prediction of the speech wave", 1971.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from vqaudio.container.fields import Cursor, DamageError, unzigzag, varint, zigzag
from vqaudio.series.arrays import Integers
from vqaudio.series.kernels import Argument, Output, Scratch, call

ORDERS = range(4)
LINEAR = len(ORDERS)
"""The kind of linear predictors; kinds below are differences of that order."""
MOST_LAGS = 32
MOST_SHIFT = 20
MOST_REFERENCES = 6
REFERENCE_ROWS = (-1, 0, 1)
"""Rows of a reference column that a prediction may use, counted from its own."""
_DIFFERENCE_WEIGHTS = ((), (1,), (2, -1), (3, -3, 1))
"""A difference leaves what these weights of the values before do."""


class Predictor(ABC):
    """What predicts a column's share of a chunk; files hold it before the residuals."""

    @property
    @abstractmethod
    def kind(self) -> int:
        """The byte that stands for it: the order of a difference, or ``LINEAR``."""

    @property
    @abstractmethod
    def name(self) -> str:
        """In words."""

    def to_bytes(self, *, base: int = 0) -> bytes:
        """As :meth:`from_cursor` expects it; ``base`` is added to the byte of its kind."""
        return bytes([base + self.kind]) + self._parameters()

    @staticmethod
    def from_cursor(cursor: Cursor, n_previous: int, *, base: int = 0) -> Predictor:
        """The next predictor in some bytes, in a chunk where so many columns come before.

        Raises:
            DamageError: a kind that is not known, or numbers that no predictor has.
        """
        kind = cursor.take(1)[0] - base
        if not 0 <= kind <= LINEAR:
            raise DamageError(f"its predictor is of kind {kind}, unknown here")
        return Linear.parse(cursor, n_previous) if kind == LINEAR else Difference(kind)

    @abstractmethod
    def _parameters(self) -> bytes:
        """What stands behind the kind."""

    @abstractmethod
    def as_linear(self) -> Linear:
        """The linear predictor of the same predictions, where no value leaves 64 bits."""

    @abstractmethod
    def restore(self, residuals: Integers, previous: Sequence[Integers]) -> Integers:
        """The values, int64 ``(rows,)``, that leave these residuals beside the columns that come before.

        Raises:
            DamageError: values beyond 64 bits.
        """


@dataclass(frozen=True)
class Difference(Predictor):
    """Residuals are differences of some order, with zeros before the first row; order 0 is the values themselves."""

    order: int

    @property
    def kind(self) -> int:
        return self.order

    @property
    def name(self) -> str:
        return f"difference of order {self.order}"

    def _parameters(self) -> bytes:
        return b""

    def as_linear(self) -> Linear:
        return Linear(0, 0, _DIFFERENCE_WEIGHTS[self.order])

    def restore(self, residuals: Integers, previous: Sequence[Integers]) -> Integers:
        for _ in range(self.order):
            residuals = residuals.cumsum()
        return residuals


@dataclass(frozen=True)
class Linear(Predictor):
    """A linear prediction: ``centre + sum(weight * (value - its centre)) / 2**shift``.

    Args:
        shift: the exponent of the weights' unit.
        centre: of the column.
        lag_weights: of the values before, the last one first.
        references: columns that come before in the chunk, by number, and the weights of their ``REFERENCE_ROWS``.
    """

    shift: int
    centre: int
    lag_weights: tuple[int, ...]
    references: tuple[tuple[int, tuple[int, ...]], ...] = ()

    @property
    def kind(self) -> int:
        return LINEAR

    @property
    def name(self) -> str:
        return "linear, with other columns" if self.references else "linear"

    def _parameters(self) -> bytes:
        weights = map(zigzag, self.lag_weights)
        numbers = [self.shift, zigzag(self.centre), len(self.lag_weights), *weights, len(self.references)]
        for column, reference_weights in self.references:
            numbers += [column, *map(zigzag, reference_weights)]
        return b"".join(map(varint, numbers))

    @classmethod
    def parse(cls, cursor: Cursor, n_previous: int) -> Linear:
        """What stands behind the kind; see :meth:`Predictor.from_cursor`."""
        shift, centre = cursor.varint(), unzigzag(cursor.varint())
        lag_weights = tuple(unzigzag(cursor.varint()) for _ in range(_at_most(MOST_LAGS, cursor.varint())))
        references = []
        for _ in range(_at_most(MOST_REFERENCES, cursor.varint())):
            column = _at_most(n_previous - 1, cursor.varint())
            references.append((column, tuple(unzigzag(cursor.varint()) for _ in REFERENCE_ROWS)))
        return cls(_at_most(MOST_SHIFT, shift), centre, lag_weights, tuple(references))

    def as_linear(self) -> Linear:
        return self

    def residuals(self, values: Integers, previous: Sequence[Integers]) -> tuple[Integers, int]:
        """What is left of values ``(rows,)``, and about what that costs in 1/1024 bits (see ``kernels/cost.h``)."""
        room = Scratch(8 * (MOST_LAGS + len(values))), Output(len(values))
        cost, (left,) = call("linear_residuals", values, *self.arguments(previous), *room, len(values))
        return left, cost

    def restore(self, residuals: Integers, previous: Sequence[Integers]) -> Integers:
        n_rows = len(residuals)
        values = Output(MOST_LAGS + n_rows)
        _, (found,) = call("restore_linear", residuals, *self.arguments(previous), values, n_rows)
        return found[MOST_LAGS:]

    def arguments(self, previous: Sequence[Integers]) -> list[Argument]:
        """As kernels take a predictor."""
        columns = [previous[column] for column, _ in self.references]
        centres, weights = map(centre_of, columns), chain.from_iterable(weights for _, weights in self.references)
        arrays = [np.array([*numbers], np.int64) for numbers in (centres, weights, self.lag_weights)]
        of_references: list[Argument] = [columns, *arrays[:2], len(columns)]
        return [*of_references, arrays[2], len(self.lag_weights), self.shift, self.centre]


def _at_most(limit: int, value: int) -> int:
    if value > limit:
        raise DamageError(f"its predictor holds {value} where at most {limit} is possible")
    return value


def centre_of(values: Integers) -> int:
    """The middle between the least and the greatest."""
    return (int(values.min()) + int(values.max())) // 2
