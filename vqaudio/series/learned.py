"""Columns whose tokens a :class:`vqaudio.series.model.Model` knows the likelihoods of, to bytes and back.

Prediction, residuals and tokens are those of :mod:`vqaudio.series.predictor` and :mod:`vqaudio.series.coder`; intervals
come from the model in place of counted frequencies. A writer sees all rows at once, a reader one after another: the
arithmetic is exact, so both come to the same intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.intnet.intervals import intervals_of
from vqaudio.intnet.rangecoder import Decoder, Encoder
from vqaudio.series.coder import Scale, get_rest, put_rest, token_of
from vqaudio.series.grid import Integers
from vqaudio.series.model import Model
from vqaudio.series.predictor import LINEAR, Linear, moved, sides_of
from vqaudio.series.view import FRACTION, LARGEST, MOST_SIDES, View

LEARNED = 8
"""Added to the kind of the predictor."""
AT_ONCE = 1024
"""Rows whose intervals a writer asks for together."""
_DIFFERENCES = ((), (1,), (2, -1), (3, -3, 1))
"""A difference leaves what these weights of the values before do."""


def is_learned(cursor: Cursor) -> bool:
    """Whether the column that follows needs a model."""
    return cursor.position < len(cursor.data) and cursor.data[cursor.position] >= LEARNED


class Course:
    """What happened in a column, row by row.

    Args:
        head: its predictor, and
        residuals: what that leaves, both from :func:`vqaudio.series.predictor.predict`.
        values: int64 ``(rows,)``, not beyond :func:`reaches_too_far`.
        columns: those that are known already.

    Attributes:
        sides: numbers of the columns that the model is shown.
        shifts: the coder's, int64 ``(rows,)``.
        tokens: int64 ``(rows,)``.
    """

    def __init__(self, head: bytes, residuals: Sequence[int], values: Integers, columns: Sequence[Integers]):
        linear = _linear(Cursor(head[1:]), head[0], len(columns))
        own = values - linear.centre
        predicted = linear.known(columns, len(values))
        for lag, weight in enumerate(linear.own, 1):
            predicted += weight * moved(own, -lag)
        nearest = predicted + (1 << linear.shift >> 1) >> linear.shift
        self._beside = (predicted - (nearest << linear.shift) << FRACTION) >> linear.shift
        self._nearest = nearest.clip(-LARGEST, LARGEST)
        self.sides = sides_of(values, columns)[:MOST_SIDES]
        self._view = View(len(values), [columns[side] for side in self.sides])
        self._view.fill(own, np.array(residuals, np.int64))
        states, scale = [], Scale()
        for residual in residuals:
            states.append((scale.mean, scale.now()[0]))
            scale.accept(residual)
        self._means, self.shifts = np.array(states, np.int64).T
        self.tokens = np.array(list(map(token_of, residuals, self.shifts.tolist())), np.int64)

    def seen(self, part: slice) -> NDArray[np.float32]:
        """What a model sees of some rows: ``(rows, WIDTH)``."""
        rows = np.arange(len(self.tokens))[part]
        columns = (self._nearest, self._beside, self._means, self.shifts)
        return self._view.rows(rows, *(column[part] for column in columns))


def reaches_too_far(head: bytes, values: Integers, n_known: int) -> bool:
    """Whether values are larger than models can be shown; ``head`` is their predictor."""
    centre = _linear(Cursor(head[1:]), head[0], n_known).centre
    return max(abs(int(values.min()) - centre), abs(int(values.max()) - centre)) >= LARGEST


def encode(
    model: Model, head: bytes, residuals: Sequence[int], values: Integers, columns: Sequence[Integers]
) -> bytes | None:
    """A column, its predictor included; None where it reaches too far for the model. As for :class:`Course`."""
    if reaches_too_far(head, values, len(columns)):
        return None
    course, encoder = Course(head, residuals, values, columns), Encoder()
    for at in range(0, len(values), AT_ONCE):
        part = slice(at, at + AT_ONCE)
        starts, frequencies = intervals_of(model.frequencies(course.seen(part)), course.tokens[part])
        rows = zip(residuals[part], course.shifts[part].tolist(), starts.tolist(), frequencies.tolist(), strict=True)
        for residual, shift, start, frequency in rows:
            encoder.encode(start, frequency)
            put_rest(encoder, residual, shift)
    data = encoder.finish()
    sides = b"".join(map(varint, [len(course.sides), *course.sides]))
    return bytes([head[0] + LEARNED]) + head[1:] + sides + varint(len(data)) + data


def decode(model: Model, cursor: Cursor, n_rows: int, columns: Sequence[Integers]) -> Integers:
    """The values that :func:`encode` was given; DamageError where there are none such."""
    linear = _linear(cursor, cursor.take(1)[0] - LEARNED, len(columns))
    sides = [cursor.varint() for _ in range(cursor.varint())]
    if len(sides) > MOST_SIDES or any(side >= len(columns) for side in sides):
        raise DamageError(f"its model sees columns {sides} of {len(columns)}")
    decoder, scale = Decoder(cursor.take(cursor.varint())), Scale()
    view = View(n_rows, [columns[side] for side in sides])
    weights, n_lags = linear.own[::-1], len(linear.own)
    half = 1 << linear.shift >> 1
    values = [0] * n_lags
    for row, known in enumerate(linear.known(columns, n_rows).tolist()):
        predicted = known + sum(map(mul, weights, values[row:]))
        nearest = predicted + half >> linear.shift
        beside = predicted - (nearest << linear.shift)
        shift = scale.now()[0]
        shown = min(max(nearest, -LARGEST), LARGEST), (beside << FRACTION) >> linear.shift, scale.mean, shift
        ends = model.frequencies_of_one(view.rows(np.array([row]), *np.array(shown)[:, None])[0]).cumsum()
        token = int(ends.searchsorted(decoder.place(), side="right"))
        start = int(ends[token - 1]) if token else 0
        decoder.take(start, int(ends[token]) - start)
        residual = get_rest(decoder, token, shift)
        value = nearest - residual if beside < 0 else nearest + residual
        if max(abs(value), abs(residual) >> 14) >= LARGEST:
            raise DamageError("it holds a number beyond what its model is shown")
        scale.accept(residual)
        view.accept(row, value, residual)
        values.append(value)
    return np.array(values[n_lags:], np.int64) + linear.centre


def _linear(cursor: Cursor, kind: int, n_known: int) -> Linear:
    """The predictor that follows its kind; a difference as one with weights."""
    if not 0 <= kind <= LINEAR:
        raise DamageError(f"its predictor is of kind {kind}, unknown here")
    return Linear.read(cursor, n_known) if kind == LINEAR else Linear(0, 0, _DIFFERENCES[kind])
