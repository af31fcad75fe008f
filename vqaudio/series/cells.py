"""Which cells of a column hold a value, as bytes and back; docs/format.md specifies them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.coding.column import decode_column, encode_column
from vqaudio.series.table import SENTINEL, VALUE
from vqaudio.series.varints import take_varints, varints

Cells = NDArray[np.uint8]

ALL_VALUES, AS_NUMBERS, AS_EARLIER, RUNS = range(4)
"""How cells stand in a chunk; from ``RUNS`` on, as so many runs."""
FEW_BYTES = 64
"""Runs of so many bytes or fewer are not coded any shorter."""


def encode_cells(cells: Cells, earlier: Sequence[Cells], n_sentinels: int = 0) -> bytes:
    """The cells of a column, the shortest of four ways.

    Args:
        cells: uint8 ``(rows,)`` of VALUE, NULL, NAN and, from SENTINEL on, sentinels.
        earlier: those of the chunk's columns before.
        n_sentinels: of the column.
    """
    if not cells.any():
        return varint(ALL_VALUES)
    for number, others in enumerate(earlier):
        if np.array_equal(cells, others):
            return varint(AS_EARLIER) + varint(number)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(cells)) + 1])
    lengths = np.diff(np.append(starts, len(cells)))
    runs = varint(RUNS + len(starts) - 1) + varints(lengths * (SENTINEL + n_sentinels) + cells[starts])
    if len(runs) > FEW_BYTES:
        coded = varint(AS_NUMBERS) + encode_column(cells.astype(np.int64), [])[0]
        runs = min(runs, coded, key=len)
    return runs


def decode_cells(cursor: Cursor, n_rows: int, earlier: Sequence[Cells], n_sentinels: int = 0) -> Cells:
    """What :func:`encode_cells` was given.

    Raises:
        DamageError: there are none such.
    """
    kind, n_kinds = cursor.varint(), SENTINEL + n_sentinels
    if kind == ALL_VALUES:
        return np.full(n_rows, VALUE, np.uint8)
    if kind == AS_NUMBERS:
        numbers, _ = decode_column(cursor, n_rows, previous=[])
        if not 0 <= numbers.min() <= numbers.max() < n_kinds:
            raise DamageError(f"its cells are {numbers.min()} to {numbers.max()}, expected 0 to {n_kinds - 1}")
        return numbers.astype(np.uint8)
    if kind == AS_EARLIER:
        if (number := cursor.varint()) >= len(earlier):
            raise DamageError(f"its cells are those of column {number}, which does not come before")
        if earlier[number].max() >= n_kinds:
            raise DamageError(f"its cells are those of column {number}, which has more sentinels")
        return earlier[number]
    return parse_runs(cursor, kind - RUNS + 1, n_rows, n_kinds)


def parse_runs(cursor: Cursor, n_runs: int, n_rows: int, n_kinds: int = SENTINEL) -> Cells:
    """Cells in so many runs of equal ones: of each a varint, ``n_kinds`` · its length + what its cells hold.

    Raises:
        DamageError: they do not add up to all rows.
    """
    if n_runs > n_rows:
        raise DamageError(f"it holds {n_runs} runs of cells in {n_rows} rows")
    lengths, cells = np.divmod(take_varints(cursor, n_runs), n_kinds)
    if lengths.max() > n_rows or lengths.sum() != n_rows:
        raise DamageError(f"its runs of cells are {sum(lengths.tolist())} rows long, expected {n_rows}")
    return np.repeat(cells.astype(np.uint8), lengths)
