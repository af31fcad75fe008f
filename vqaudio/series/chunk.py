"""Rows of all columns to bytes that can be read alone, and back; docs/format.md specifies them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, crc32_bytes, varint
from vqaudio.series import coder, learned, predictor
from vqaudio.series.grid import Integers
from vqaudio.series.model import Model
from vqaudio.series.table import NAN, VALUE

LEAST_TOKENS = 12
"""Bytes of tokens that a model is asked about: of fewer it saves no more than naming what it is shown takes."""


@dataclass(frozen=True)
class Part:
    """A column's share of a chunk.

    Args:
        numbers: int64 ``(rows,)``.
        cells: uint8 ``(rows,)`` of VALUE, NULL and NAN.
        literal_rows: int64; rows whose values stand for themselves,
        literals: and their bytes, one after another.
        predictor: what the numbers were predicted by, in words; known of those that were read.
    """

    numbers: Integers
    cells: NDArray[np.uint8]
    literal_rows: Integers
    literals: bytes
    predictor: str = ""


def chunk_bytes(
    index: int, parts: Sequence[Part], alone: bool = False, model: Model | None = None
) -> tuple[bytes, int]:
    """Chunk number ``index``: its columns in order, a digest of them, and a checksum of all that.

    Each column is predicted from those before it, unless ``alone``, and coded by the ``model`` where that takes fewer
    bytes. Also returns how many that were fewer.
    """
    known: list[Integers] = []
    data, all_saved = bytearray(varint(index)), 0
    for part in parts:
        data += _runs(part.cells) + varint(len(part.literal_rows))
        data += b"".join(map(varint, np.diff(part.literal_rows, prepend=0).tolist())) + part.literals
        coded, saved = _column(part.numbers, [] if alone else known, model)
        data += coded
        all_saved += saved
        known.append(part.numbers)
    data += _digest(parts)
    checked = bytes(data)
    return checked + crc32_bytes(checked), all_saved


def _column(values: Integers, known: Sequence[Integers], model: Model | None) -> tuple[bytes, int]:
    """A column's predictor and residuals, and how many bytes the model saved."""
    head, residuals = predictor.predict(values, known)
    tokens = coder.encode(residuals)
    coded = head + varint(len(tokens)) + tokens
    if model is not None and len(tokens) >= LEAST_TOKENS:
        other = learned.encode(model, head, residuals, values, known)
        if other is not None and len(other) < len(coded):
            return other, len(coded) - len(other)
    return coded, 0


def parse_chunk(data: bytes, index: int, n_rows: int, widths: Sequence[int], model: Model | None = None) -> list[Part]:
    """What :func:`chunk_bytes` was given, for columns whose literals take ``widths`` bytes each; or DamageError."""
    if len(data) < 6 or crc32_bytes(data[:-4]) != data[-4:]:
        raise DamageError("its checksum does not match its bytes")
    cursor = Cursor(data[:-6])
    if (found := cursor.varint()) != index:
        raise DamageError(f"its number is {found}, expected {index}")
    parts: list[Part] = []
    known: list[Integers] = []
    for width in widths:
        parts.append(_parse_part(cursor, n_rows, width, known, model))
        known.append(parts[-1].numbers)
    if cursor.position != len(cursor.data):
        raise DamageError(f"{len(cursor.data) - cursor.position} bytes follow its last column")
    if _digest(parts) != data[-6:-4]:
        raise DamageError("its values do not match their digest")
    return parts


def _parse_part(cursor: Cursor, n_rows: int, width: int, known: Sequence[Integers], model: Model | None) -> Part:
    cells = _parse_runs(cursor, n_rows)
    n_literals = cursor.varint()
    if n_literals > n_rows:
        raise DamageError(f"it holds {n_literals} literals in {n_rows} rows")
    rows = np.array([cursor.varint() for _ in range(n_literals)], np.uint64).cumsum().astype(np.int64)
    if n_literals and not 0 <= rows.min() <= rows.max() < n_rows:
        raise DamageError("a literal stands outside its rows")
    literals = cursor.take(n_literals * width)

    if learned.is_learned(cursor):
        if model is None:
            raise DamageError("it needs a model that the header does not name")
        return Part(learned.decode(model, cursor, n_rows, known), cells, rows, literals, "model")

    def residuals() -> list[int]:
        return coder.decode(cursor.take(cursor.varint()), n_rows)

    name = predictor.name_ahead(cursor, len(known))
    return Part(predictor.restore(cursor, residuals, known), cells, rows, literals, name)


def _runs(cells: NDArray[np.uint8]) -> bytes:
    """Lengths of runs of equal cells, each with what they hold; a single 0 where there are values alone."""
    if not (cells != VALUE).any():
        return varint(0)
    starts = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(cells)]
    runs = ((stop - start) * (NAN + 1) + int(cells[start]) for start, stop in pairwise(starts))
    return b"".join(map(varint, chain([len(starts) - 1], runs)))


def _parse_runs(cursor: Cursor, n_rows: int) -> NDArray[np.uint8]:
    n_runs = cursor.varint()
    if n_runs > n_rows:
        raise DamageError(f"it holds {n_runs} runs of cells in {n_rows} rows")
    if not n_runs:
        return np.full(n_rows, VALUE, np.uint8)
    lengths, cells = zip(*(divmod(cursor.varint(), NAN + 1) for _ in range(n_runs)), strict=True)
    if sum(lengths) != n_rows:
        raise DamageError(f"its runs of cells are {sum(lengths)} rows long, expected {n_rows}")
    return np.repeat(np.array(cells, np.uint8), lengths)


def _digest(parts: Sequence[Part]) -> bytes:
    return crc16_bytes(b"".join(part.numbers.astype("<i8").tobytes() + part.cells.tobytes() for part in parts))
