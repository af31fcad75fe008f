"""Residuals whose tokens a :class:`vqaudio.series.coding.model.Model` knows the likelihoods of, to bytes and back.

Residuals and tokens are those of :mod:`vqaudio.series.coding.adaptive`; intervals come from the model in place of
counted frequencies. A writer sees all rows at once, a reader one after another: the arithmetic is exact, so both come
to the same intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

import numpy as np

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.intnet.intervals import intervals_of
from vqaudio.intnet.rangecoder import Decoder, Encoder
from vqaudio.series.arrays import Integers
from vqaudio.series.coding.adaptive import ResidualScale, decode_rest, encode_rest
from vqaudio.series.coding.context_features import FRACTION_BITS, LARGEST_VALUE, MOST_REFERENCES, ContextFeatures
from vqaudio.series.coding.history import ResidualHistory, fits_features
from vqaudio.series.coding.model import Model
from vqaudio.series.prediction.predictor import Predictor

BATCH_ROWS = 1024
"""Rows whose intervals a writer asks for together."""


def encode(
    model: Model, predictor: Predictor, *, residuals: Integers, values: Integers, previous: Sequence[Integers]
) -> bytes | None:
    """The reference columns and the residuals as bytes; None where values are too large for a model.

    Arguments are those of :class:`vqaudio.series.coding.history.ResidualHistory`.
    """
    if not fits_features(predictor, values):
        return None
    history, encoder = ResidualHistory(predictor, residuals, values=values, previous=previous), Encoder()
    for at in range(0, len(values), BATCH_ROWS):
        part = slice(at, at + BATCH_ROWS)
        starts, frequencies = intervals_of(model.frequencies(history.features(part)), history.tokens[part])
        rows = zip(
            residuals[part].tolist(), history.shifts[part].tolist(), starts.tolist(), frequencies.tolist(), strict=True
        )
        for residual, shift, start, frequency in rows:
            encoder.encode(start, frequency)
            encode_rest(encoder, residual, shift=shift)
    data = encoder.finish()
    return b"".join(map(varint, [len(history.references), *history.references, len(data)])) + data


def decode(
    model: Model, predictor: Predictor, *, cursor: Cursor, n_rows: int, previous: Sequence[Integers]
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
    for row, known in enumerate(linear.from_references(previous, n_rows).tolist()):
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
