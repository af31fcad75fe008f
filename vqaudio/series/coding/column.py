"""A column's share of a chunk as bytes: its predictor, then the residuals in whichever code is shorter."""

from __future__ import annotations

from collections.abc import Sequence

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.arrays import Integers
from vqaudio.series.coding import adaptive, learned, mixed
from vqaudio.series.coding.mixed_choice import encode_best
from vqaudio.series.coding.model import Model
from vqaudio.series.prediction.fitting import predict
from vqaudio.series.prediction.predictor import Predictor

LEARNED = 8
"""Added to the kind of the predictor where a model codes the residuals."""
LEAST_TOKENS = 12
"""Bytes of tokens that a model is asked about: of fewer it saves no more than naming its reference columns takes."""
MODEL_NAME = "model"
"""What stands in place of the predictor's name where a model codes the residuals."""
MIXED = 16
"""The kind of columns that the mixed coder has coded."""
MIXED_NAME = "mixed"
"""What stands in place of the predictor's name there."""


def encode_column(
    values: Integers, previous: Sequence[Integers], *, model: Model | None = None, mixing: bool = False
) -> tuple[bytes, int]:
    """A column as bytes, and how many fewer they are for the model.

    Args:
        values: int64 ``(rows,)``.
        previous: the columns that it may be predicted from, of the same length.
        model: codes the residuals if that takes fewer bytes.
        mixing: use the mixed coder if that takes fewer bytes.
    """
    predictor, residuals = predict(values, previous)
    tokens = adaptive.encode(residuals)
    coded = predictor.to_bytes() + varint(len(tokens)) + tokens
    if mixing and (found := encode_best(values, previous, below=len(coded) - 1)) is not None:
        coded = bytes([MIXED]) + found
    if model is not None and len(tokens) >= LEAST_TOKENS:
        payload = learned.encode(model, predictor, residuals=residuals, values=values, previous=previous)
        if payload is not None and (saved := len(coded) - len(predictor.to_bytes()) - len(payload)) > 0:
            return predictor.to_bytes(base=LEARNED) + payload, saved
    return coded, 0


def decode_column(
    cursor: Cursor, n_rows: int, *, previous: Sequence[Integers], model: Model | None = None
) -> tuple[Integers, str]:
    """The values that :func:`encode_column` was given, and the name of what they were predicted by.

    Args:
        cursor: where the bytes begin; it is left where they end.
        n_rows: of the chunk.
        previous: the chunk's columns before.
        model: that of the file, if it has one.

    Raises:
        DamageError: there are none such.
    """
    if cursor.data[cursor.position : cursor.position + 1] == bytes([MIXED]):
        cursor.take(1)
        return mixed.decode(cursor, n_rows, previous), MIXED_NAME
    is_learned = cursor.position < len(cursor.data) and cursor.data[cursor.position] >= LEARNED
    if is_learned:
        if model is None:
            raise DamageError("it needs a model that the header does not name")
        predictor = Predictor.from_cursor(cursor, len(previous), base=LEARNED)
        return learned.decode(model, predictor, cursor=cursor, n_rows=n_rows, previous=previous), MODEL_NAME
    predictor = Predictor.from_cursor(cursor, len(previous))
    residuals = adaptive.decode(cursor.take(cursor.varint()), n_rows)
    return predictor.restore(residuals, previous), predictor.name
