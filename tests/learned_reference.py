"""Residuals coded by a network's likelihoods in Python, row by row: what the kernel of that name is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul
from typing import Any

import numpy as np
from adaptive_reference import ResidualScale, decode_rest, encode_rest, token_of
from kernel_references import from_references, predictions
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.intnet.grids import INT8, LOGIT
from vqaudio.intnet.intervals import intervals_of
from vqaudio.intnet.linear import Int8Linear, Numbers
from vqaudio.intnet.rangecoder import Decoder, Encoder
from vqaudio.intnet.softmax import Softmax
from vqaudio.series.arrays import Floats, Integers
from vqaudio.series.prediction.fitting import reference_columns
from vqaudio.series.prediction.predictor import Predictor


class Network:
    """That of a :class:`vqaudio.series.coding.model.Model`."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]):
        limits = {"first": INT8, "second": INT8, "logits": LOGIT[1]}
        self._first, self._second, self._logits = (Int8Linear(tensors, name, most) for name, most in limits.items())
        self._softmax = Softmax(tensors["exp"])

    def logits(self, features: Numbers) -> Numbers:
        """Of all tokens ``(rows, 64)`` in 32nds of a nat, from features of rows ``(rows, N_FEATURES)``."""
        hidden = np.maximum(self._first(features), 0)
        return self._logits(np.maximum(self._second(hidden), 0))

    def frequencies(self, features: Numbers) -> Integers:
        return self._softmax.frequencies(self.logits(features))


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

    def __init__(
        self, predictor: Predictor, residuals: Sequence[int], *, values: Integers, previous: Sequence[Integers]
    ):
        linear = predictor.as_linear()
        predicted = predictions(linear, values, previous)
        nearest = predicted + (1 << linear.shift >> 1) >> linear.shift
        self._fractions = (predicted - (nearest << linear.shift) << FRACTION_BITS) >> linear.shift
        self._nearest = nearest.clip(-LARGEST_VALUE, LARGEST_VALUE)
        self.references = reference_columns(values, previous)[:MOST_REFERENCES]
        self._context = ContextFeatures(len(values), [previous[column] for column in self.references])
        self._context.fill(values - linear.centre, np.array(residuals, np.int64))
        states, scale = [], ResidualScale()
        for residual in residuals:
            states.append((scale.mean, scale.shift_and_context()[0]))
            scale.update(residual)
        self._means, self.shifts = np.array(states, np.int64).T
        self.tokens = np.array(list(map(token_of, residuals, self.shifts.tolist())), np.int64)

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


BATCH_ROWS = 1024
"""Rows whose intervals a writer asks for together."""


def encode(
    model: Network, predictor: Predictor, *, residuals: Integers, values: Integers, previous: Sequence[Integers]
) -> bytes | None:
    """The reference columns and the residuals as bytes; None where values are too large for a model.

    Arguments are those of :class:`vqaudio.series.coding.history.ResidualHistory`.
    """
    if not fits_features(predictor, values):
        return None
    history, encoder = ResidualHistory(predictor, residuals.tolist(), values=values, previous=previous), Encoder()
    for at in range(0, len(values), BATCH_ROWS):
        part = slice(at, at + BATCH_ROWS)
        starts, frequencies = intervals_of(model.frequencies(history.features(part)), history.tokens[part])
        columns = (residuals[part], history.shifts[part], starts, frequencies)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for residual, shift, start, frequency in rows:
            encoder.encode(start, frequency)
            encode_rest(encoder, residual, shift=shift)
    data = encoder.finish()
    return b"".join(map(varint, [len(history.references), *history.references, len(data)])) + data


def decode(
    model: Network, predictor: Predictor, *, cursor: Cursor, n_rows: int, previous: Sequence[Integers]
) -> Integers:
    """The values, int64 ``(rows,)``, whose residuals :func:`encode` was given.

    Args:
        model: that which encoded them.
        predictor: of the column.
        cursor: where the bytes begin.
        n_rows: of the chunk.
        previous: the chunk's columns before.

    Raises:
        DamageError: there are none such.
    """
    references = [cursor.varint() for _ in range(cursor.varint())]
    if len(references) > MOST_REFERENCES or any(column >= len(previous) for column in references):
        raise DamageError(f"its model sees columns {references} of {len(previous)}")
    decoder, scale = Decoder(cursor.take(cursor.varint())), ResidualScale()
    context = ContextFeatures(n_rows, [previous[column] for column in references])
    linear = predictor.as_linear()
    weights, n_lags = linear.lag_weights[::-1], len(linear.lag_weights)
    half = 1 << linear.shift >> 1
    values = [0] * n_lags
    for row, known in enumerate(from_references(linear, previous, n_rows).tolist()):
        predicted = known + sum(map(mul, weights, values[row:]))
        nearest = predicted + half >> linear.shift
        remainder = predicted - (nearest << linear.shift)
        shift = scale.shift_and_context()[0]
        clipped, fraction = (
            min(max(nearest, -LARGEST_VALUE), LARGEST_VALUE),
            (remainder << FRACTION_BITS) >> linear.shift,
        )
        rows, predictions, fractions, means, shifts = np.array((row, clipped, fraction, scale.mean, shift))[:, None]
        features = context.of_rows(rows, predictions, fractions=fractions, means=means, shifts=shifts)
        ends = model.frequencies(features[0]).cumsum()
        token = int(ends.searchsorted(decoder.place(), side="right"))
        start = int(ends[token - 1]) if token else 0
        decoder.take(start, int(ends[token]) - start)
        residual = decode_rest(decoder, token, shift=shift)
        value = nearest - residual if remainder < 0 else nearest + residual
        if max(abs(value), abs(residual) >> 14) >= LARGEST_VALUE:
            raise DamageError("it holds a number beyond what its model is shown")
        scale.update(residual)
        context.update(row, value, residual=residual)
        values.append(value)
    return np.array(values[n_lags:], np.int64) + linear.centre
