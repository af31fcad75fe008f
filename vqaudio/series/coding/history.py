"""What a writer, which knows a whole column, tells a model of each of its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.arrays import Integers
from vqaudio.series.coding.adaptive import ResidualScale, token_of
from vqaudio.series.coding.context_features import FRACTION_BITS, LARGEST_VALUE, MOST_REFERENCES, ContextFeatures
from vqaudio.series.prediction.fitting import reference_columns
from vqaudio.series.prediction.predictor import Predictor


class ResidualHistory:
    """The residuals of a column, row by row, and the context of each.

    Args:
        predictor: of the column, and
        residuals: what that leaves, both from :func:`vqaudio.series.prediction.fitting.predict`.
        values: int64 ``(rows,)``, within :func:`fits_features`.
        previous: the chunk's columns before, of the same length.

    Attributes:
        references: numbers of the columns whose steps the model is shown.
        shifts: the coder's, int64 ``(rows,)``.
        tokens: int64 ``(rows,)``.
    """

    def __init__(self, predictor: Predictor, residuals: Integers, *, values: Integers, previous: Sequence[Integers]):
        linear = predictor.as_linear()
        predicted = linear.predictions(values, previous)
        nearest = predicted + (1 << linear.shift >> 1) >> linear.shift
        self._fractions = (predicted - (nearest << linear.shift) << FRACTION_BITS) >> linear.shift
        self._nearest = nearest.clip(-LARGEST_VALUE, LARGEST_VALUE)
        self.references = reference_columns(values, previous)[:MOST_REFERENCES]
        self._context = ContextFeatures(len(values), [previous[column] for column in self.references])
        self._context.fill(values - linear.centre, residuals)
        states, scale = [], ResidualScale()
        for residual in residuals.tolist():
            states.append((scale.mean, scale.shift_and_context()[0]))
            scale.update(residual)
        self._means, self.shifts = np.array(states, np.int64).T
        self.tokens = np.array(list(map(token_of, residuals.tolist(), self.shifts.tolist())), np.int64)

    def features(self, part: slice) -> NDArray[np.float32]:
        """What a model is shown of some rows: ``(rows, N_FEATURES)``."""
        return self._context.of_rows(
            np.arange(len(self.tokens))[part],
            self._nearest[part],
            fractions=self._fractions[part],
            means=self._means[part],
            shifts=self.shifts[part],
        )


def fits_features(predictor: Predictor, values: Integers) -> bool:
    """Whether values ``(rows,)`` are small enough to be shown to a model."""
    centre = predictor.as_linear().centre
    return max(abs(int(values.min()) - centre), abs(int(values.max()) - centre)) < LARGEST_VALUE
