"""What a model is shown of a row before its token is known: features within an int8, about as fine as they matter.

Differences between values that came before, the prediction and how it falls between two integers, the last residuals,
and how up to ``MOST_REFERENCES`` other columns go on around the row. Differences are in units of the residuals' usual
size (``2**shift``, see :mod:`vqaudio.series.coding.adaptive`), other columns' in units of their mean step; both are
then companded by an inverse hyperbolic sine, linear for small and logarithmic for large ones. All is integer arithmetic
and a table.

The first row has no features; rows before it count as equal to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.arrays import Floats, Integers

LAGS = np.array([*range(2, 33), 48, 49, 72, 73, 168, 169])
"""Values so many rows before, less the last one."""
STEPS = np.arange(1, 12)
"""Steps between neighbours, the last of them so many rows before."""
BLOCK = 16
BLOCKS = np.arange(32, 512, BLOCK)
"""Means of so many values, which end so many rows before."""
N_RESIDUALS = 8
MOST_REFERENCES = 3
REFERENCE_ROWS = (-1, 0, 1, 2)
"""Steps of other columns, at rows from here."""
CONTEXT_ROWS = 512
"""Rows before that features depend on, at most."""
FRACTION_BITS = 7
"""Predictions have so many bits behind the point."""
N_FEATURES = len(LAGS) + len(STEPS) + len(BLOCKS) + N_RESIDUALS + 5 + MOST_REFERENCES * len(REFERENCE_ROWS)
LARGEST_VALUE = 2**40
"""Values and predictions are smaller, so that no sum leaves 64 bits."""

_LATER = np.array([1] * len(LAGS) + list(STEPS))
_EARLIER = np.array([*LAGS, *STEPS + 1])
_DIFFERENCE_BITS = 2
"""Differences have so many bits behind the point before the table."""
_LARGEST_DIFFERENCE = 400
_MEAN_CENTRE = 256


def _table(values: Floats) -> NDArray[np.float32]:
    return np.rint(values).clip(-127, 127).astype(np.float32)


_COMPANDED = _table(24 * np.arcsinh(np.arange(-_LARGEST_DIFFERENCE, _LARGEST_DIFFERENCE + 1) / 2.0**_DIFFERENCE_BITS))
_MEANS = _table(16 * np.log2((np.arange(2**12) + 8) / _MEAN_CENTRE))


def companded(differences: Integers) -> NDArray[np.float32]:
    """Differences in units of ``2 ** -_DIFFERENCE_BITS`` within an int8; any shape."""
    found: NDArray[np.float32] = _COMPANDED[
        np.clip(differences, -_LARGEST_DIFFERENCE, _LARGEST_DIFFERENCE) + _LARGEST_DIFFERENCE
    ]
    return found


def reference_features(columns: Sequence[Integers], n_rows: int) -> NDArray[np.float32]:
    """Features of other columns at each row: ``(rows, MOST_REFERENCES * len(REFERENCE_ROWS))``."""
    found = np.zeros((n_rows, MOST_REFERENCES, len(REFERENCE_ROWS)), np.float32)
    for number, column in enumerate(columns):
        steps = np.diff(column, prepend=column[0])
        features = companded((steps * n_rows << _DIFFERENCE_BITS) // max(1, int(np.abs(steps).sum())))
        for place, row in enumerate(REFERENCE_ROWS):
            there = slice(max(0, -row), n_rows - max(0, row))
            found[there, number, place] = features[max(0, row) : n_rows + min(0, row)]
    return found.reshape(n_rows, -1)


class ContextFeatures:
    """The context of a column's rows, as its values come to be known.

    Args:
        n_rows: of the column.
        references: columns that are known already, ``MOST_REFERENCES`` or fewer, int64 ``(rows,)``.
    """

    def __init__(self, n_rows: int, references: Sequence[Integers]):
        self._values = np.zeros(CONTEXT_ROWS + n_rows, np.int64)
        self._sums = np.zeros(CONTEXT_ROWS + n_rows + 1, np.int64)
        self._residuals = np.zeros(N_RESIDUALS + n_rows, np.int64)
        self._references = reference_features(references, n_rows)

    def fill(self, values: Integers, residuals: Integers) -> None:
        """All of the column at once."""
        self._values[:CONTEXT_ROWS], self._values[CONTEXT_ROWS:] = values[0], values
        self._sums[1:] = self._values.cumsum()
        self._residuals[N_RESIDUALS:] = residuals

    def update(self, row: int, value: int, *, residual: int) -> None:
        """The next value and its residual."""
        if row == 0:
            self._values[:CONTEXT_ROWS] = value
            self._sums[1 : CONTEXT_ROWS + 1] = value * np.arange(1, CONTEXT_ROWS + 1)
        place = CONTEXT_ROWS + row
        self._values[place] = value
        self._sums[place + 1] = self._sums[place] + value
        self._residuals[N_RESIDUALS + row] = residual

    def of_rows(
        self, rows: Integers, nearest: Integers, *, fractions: Integers, means: Integers, shifts: Integers
    ) -> NDArray[np.float32]:
        """The features of some rows, integers from -127 to 127: ``(rows, N_FEATURES)``.

        Args:
            rows: int64 ``(rows,)``, as are all.
            nearest: the predictions as whole numbers, and
            fractions: what is left of them, within half, in units of ``2 ** -FRACTION_BITS``.
            means: the running mean of residuals' sizes, as the coder has it.
            shifts: the coder's.
        """
        here, shifts = (CONTEXT_ROWS + rows)[:, None], shifts[:, None]
        last = self._values[here - 1]
        residuals = self._residuals[N_RESIDUALS + rows[:, None] - np.arange(1, N_RESIDUALS + 1)]
        blocks = self._sums[here - BLOCKS] - self._sums[here - BLOCKS - BLOCK]
        pairs = self._values[here - _LATER] - self._values[here - _EARLIER]
        differences = np.concatenate([pairs, nearest[:, None] - last, residuals], axis=1)
        signs, sizes = np.where(fractions < 0, -64, 64), _MEANS[means >> shifts[:, 0]]
        found = np.concatenate(
            [
                companded((differences << _DIFFERENCE_BITS) >> shifts),
                companded((last * BLOCK - blocks) >> shifts + (4 - _DIFFERENCE_BITS)),
                np.stack([fractions, np.abs(fractions), signs, sizes], 1),
                self._references[rows],
            ],
            axis=1,
        ).astype(np.float32)
        found[rows == 0] = 0
        return found
