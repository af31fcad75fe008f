"""Residuals whose tokens a :class:`vqaudio.series.coding.model.Model` knows the likelihoods of, to bytes and back.

Residuals and tokens are those of :mod:`vqaudio.series.coding.adaptive`; intervals come from the model in place of
counted frequencies. The arithmetic is exact, so that a writer and a reader come to the same intervals. The loop over
rows is ``kernels/learned.c``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.arrays import Integers
from vqaudio.series.coding.adaptive import MOST_BYTES, padded
from vqaudio.series.coding.context_features import (
    CONTEXT_ROWS,
    LARGEST_VALUE,
    MOST_REFERENCES,
    N_FEATURES,
    N_RESIDUALS,
    TABLES,
)
from vqaudio.series.coding.model import Model, Packed
from vqaudio.series.kernels import Argument, Output, Scratch, call
from vqaudio.series.prediction.fitting import reference_columns
from vqaudio.series.prediction.predictor import Predictor

NO_NETWORK = Packed([np.zeros(0, np.int8)], 0, 0, 0)


def encode(
    model: Model, predictor: Predictor, *, residuals: Integers, values: Integers, previous: Sequence[Integers]
) -> bytes | None:
    """The reference columns and the residuals as bytes; None where values are too large for a model.

    Args:
        model: that knows the likelihoods.
        predictor: of the column, and
        residuals: what that leaves, both from :func:`vqaudio.series.prediction.fitting.predict`.
        values: int64 ``(rows,)``.
        previous: the chunk's columns before, of the same length.
    """
    if not fits_features(predictor, values):
        return None
    n_rows, references = len(values), _references(values, previous)
    arguments = _arguments(model.packed, predictor, references, previous=previous, n_rows=n_rows)
    room = Output(MOST_BYTES * (n_rows + 1), np.uint8, counted=True)
    _, (data,) = call("encode_learned", *arguments, values, residuals, room)
    return b"".join(map(varint, [len(references), *references, len(data)])) + data.tobytes()


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
    data = cursor.take(cursor.varint())
    arguments = _arguments(model.packed, predictor, references, previous=previous, n_rows=n_rows)
    _, (values,) = call("decode_learned", *arguments, padded(data), len(data), Output(n_rows))
    return values


def features_and_tokens(
    predictor: Predictor, residuals: Integers, *, values: Integers, previous: Sequence[Integers]
) -> tuple[NDArray[np.int8], Integers]:
    """What a model is shown of each row ``(rows, N_FEATURES)``, and what came ``(rows,)``: to learn from.

    Arguments are those of :func:`encode`; values are within :func:`fits_features`.
    """
    n_rows, references = len(values), _references(values, previous)
    arguments = _arguments(NO_NETWORK, predictor, references, previous=previous, n_rows=n_rows)
    outputs = Output(n_rows * N_FEATURES, np.int8), Output(n_rows)
    _, (features, tokens) = call("learned_features", *arguments, values, residuals, *outputs)
    return features.reshape(n_rows, N_FEATURES), tokens


def fits_features(predictor: Predictor, values: Integers) -> bool:
    """Whether values ``(rows,)`` are small enough to be shown to a model."""
    centre = predictor.as_linear().centre
    return max(abs(int(values.min()) - centre), abs(int(values.max()) - centre)) < LARGEST_VALUE


def _references(values: Integers, previous: Sequence[Integers]) -> list[int]:
    """The numbers of the columns whose steps the model is shown."""
    return reference_columns(values, previous)[:MOST_REFERENCES]


def _arguments(
    network: Packed, predictor: Predictor, references: Sequence[int], *, previous: Sequence[Integers], n_rows: int
) -> list[Argument]:
    """What all kernels take first."""
    shown = [previous[column] for column in references]
    scratch = Scratch(8 * (2 * (CONTEXT_ROWS + n_rows) + N_RESIDUALS + n_rows + network.n_hidden + 16) + 4 * n_rows)
    sizes = (network.n_first, network.n_second, network.n_exp)
    of_predictor = predictor.as_linear().arguments(previous)
    return [network.arrays, *sizes, TABLES, *of_predictor, shown, len(shown), scratch, Scratch(8 * n_rows), n_rows]
