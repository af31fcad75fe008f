"""What a model sees of a row before its token is known: numbers within an int8, about as fine as they matter.

Differences between values that came before, the prediction and how it falls between two integers, the last residuals,
and how up to ``MOST_SIDES`` other columns go on around the row. Differences are in units of the residuals' usual size
(``2**shift``, see :mod:`vqaudio.series.coder`), other columns' in units of their mean step; both then pass through an
inverse hyperbolic sine, linear for small and logarithmic for large ones. All is integer arithmetic and a table.

Of the first row nothing is seen; rows before it count as equal to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.grid import Integers

LAGS = np.array([*range(2, 33), 48, 49, 72, 73, 168, 169])
"""Values so many rows before, seen from the last one."""
STEPS = np.arange(1, 12)
"""Steps between neighbours, the last of them so many rows before."""
BLOCK = 16
BLOCKS = np.arange(32, 512, BLOCK)
"""Means of so many values, which end so many rows before."""
N_RESIDUALS = 8
MOST_SIDES = 3
SIDE_ROWS = (-1, 0, 1, 2)
"""Steps of other columns, at rows from here."""
PAST = 512
"""Rows that are seen, at most."""
FRACTION = 7
"""Predictions have so many bits behind the point."""
WIDTH = len(LAGS) + len(STEPS) + len(BLOCKS) + N_RESIDUALS + 5 + MOST_SIDES * len(SIDE_ROWS)
LARGEST = 2**40
"""Values and predictions are smaller, so that no sum leaves 64 bits."""

_LATER = np.array([1] * len(LAGS) + list(STEPS))
_EARLIER = np.array([*LAGS, *STEPS + 1])
FINE = 2
"""Differences have so many bits behind the point before the table."""
FARTHEST = 400
MEAN_CENTRE = 256


def _table(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.rint(values).clip(-127, 127).astype(np.float32)


_CURVE = _table(24 * np.arcsinh(np.arange(-FARTHEST, FARTHEST + 1) / 2.0**FINE))
_MEANS = _table(16 * np.log2((np.arange(2**12) + 8) / MEAN_CENTRE))


def curve(differences: Integers) -> NDArray[np.float32]:
    """Differences in units of ``2 ** -FINE`` to what is seen of them; any shape."""
    found: NDArray[np.float32] = _CURVE[np.clip(differences, -FARTHEST, FARTHEST) + FARTHEST]
    return found


def sides_view(columns: Sequence[Integers], n_rows: int) -> NDArray[np.float32]:
    """What is seen of other columns at each row: ``(rows, MOST_SIDES * len(SIDE_ROWS))``."""
    found = np.zeros((n_rows, MOST_SIDES, len(SIDE_ROWS)), np.float32)
    for number, column in enumerate(columns):
        steps = np.diff(column, prepend=column[0])
        seen = curve((steps * n_rows << FINE) // max(1, int(np.abs(steps).sum())))
        for place, row in enumerate(SIDE_ROWS):
            there = slice(max(0, -row), n_rows - max(0, row))
            found[there, number, place] = seen[max(0, row) : n_rows + min(0, row)]
    return found.reshape(n_rows, -1)


class View:
    """A column as it comes to be known.

    Args:
        n_rows: of the column.
        sides: columns that are known already, ``MOST_SIDES`` or fewer.
    """

    def __init__(self, n_rows: int, sides: Sequence[Integers]):
        self._values = np.zeros(PAST + n_rows, np.int64)
        self._sums = np.zeros(PAST + n_rows + 1, np.int64)
        self._residuals = np.zeros(N_RESIDUALS + n_rows, np.int64)
        self._sides = sides_view(sides, n_rows)

    def fill(self, values: Integers, residuals: Integers) -> None:
        """All of the column at once."""
        self._values[:PAST], self._values[PAST:] = values[0], values
        self._sums[1:] = self._values.cumsum()
        self._residuals[N_RESIDUALS:] = residuals

    def accept(self, row: int, value: int, residual: int) -> None:
        """The next value and its residual."""
        if row == 0:
            self._values[:PAST] = value
            self._sums[1 : PAST + 1] = value * np.arange(1, PAST + 1)
        place = PAST + row
        self._values[place] = value
        self._sums[place + 1] = self._sums[place] + value
        self._residuals[N_RESIDUALS + row] = residual

    def rows(
        self, rows: Integers, nearest: Integers, beside: Integers, means: Integers, shifts: Integers
    ) -> NDArray[np.float32]:
        """What is seen of some rows: ``(rows, WIDTH)``.

        Args:
            rows: int64 ``(rows,)``, as are all.
            nearest: the predictions as whole numbers, and
            beside: what is left of them, within half, in units of ``2 ** -FRACTION``.
            means: the running mean of residuals' sizes, as the coder has it.
            shifts: the coder's.
        """
        here, shifts = (PAST + rows)[:, None], shifts[:, None]
        last = self._values[here - 1]
        residuals = self._residuals[N_RESIDUALS + rows[:, None] - np.arange(1, N_RESIDUALS + 1)]
        blocks = self._sums[here - BLOCKS] - self._sums[here - BLOCKS - BLOCK]
        pairs = self._values[here - _LATER] - self._values[here - _EARLIER]
        differences = np.concatenate([pairs, nearest[:, None] - last, residuals], axis=1)
        found = np.concatenate(
            [
                curve((differences << FINE) >> shifts),
                curve((last * BLOCK - blocks) >> shifts + (4 - FINE)),
                np.stack([beside, np.abs(beside), np.where(beside < 0, -64, 64), _MEANS[means >> shifts[:, 0]]], 1),
                self._sides[rows],
            ],
            axis=1,
        ).astype(np.float32)
        found[rows == 0] = 0
        return found
