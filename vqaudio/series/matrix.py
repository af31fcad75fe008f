"""Wide chunks: neighbouring columns of one type as one matrix, row after row, where time runs along the columns.

A table with a column for each day has few rows and many columns. What changes slowly in it are the rows; and numbers of
a row are alike in size, those of a column are not. Such columns share an encoding, and their numbers are coded as one
series of differences along the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.arrays import Integers
from vqaudio.series.coding.column import decode_column, encode_column
from vqaudio.series.encodings.base import EncodedColumn
from vqaudio.series.encodings.select import encode_values
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.table import Column, Table

KIND = 24
"""Stands in place of the kind of a predictor before a matrix."""
NAME = "matrix"
"""What stands in place of the predictor's name for columns of one."""
LEAST_COLUMNS = 32
ROWS_PER_COLUMN = 4
"""Runs of columns with more rows than that are no matrices: there is enough in a column to learn from."""
MOST_ORDER = 2
TRIED_COLUMNS, EARLIER_COLUMNS = 16, 64
"""So many columns tell what all would take by themselves, each beside so many before it."""

Matrices = dict[int, tuple[int, bytes]]
"""By the number of its first column: how many columns a matrix has, and its bytes."""


def find_matrices(
    piece: Table, encoded: Sequence[EncodedColumn], *, mixing: bool
) -> tuple[list[EncodedColumn], Matrices]:
    """Columns of a chunk, those of matrices in an encoding that they share, and the matrices among them."""
    result, matrices = list(encoded), Matrices()
    for run in _runs(piece, encoded):
        shared = _share(piece.columns[run], encoded[run])
        if shared is None:
            continue
        numbers = np.stack([column.numbers for column in shared], 1)
        data = encode_matrix(numbers)
        if len(data) < _alone(encoded[: run.stop], run.start):
            result[run] = shared
            matrices[run.start] = (run.stop - run.start, encode_matrix(numbers, mixing=mixing))
    return result, matrices


def _runs(piece: Table, encoded: Sequence[EncodedColumn]) -> Iterator[slice]:
    """Neighbouring columns that might be a matrix."""
    kinds = [_kind(column, found) for column, found in zip(piece.columns, encoded, strict=True)]
    start = 0
    for stop in range(1, len(kinds) + 1):
        if stop < len(kinds) and kinds[stop] == kinds[start]:
            continue
        width = stop - start
        if kinds[start] is not None and width >= LEAST_COLUMNS and piece.n_rows <= ROWS_PER_COLUMN * width:
            yield slice(start, stop)
        start = stop


def _kind(column: Column, found: EncodedColumn) -> tuple[str, float] | None:
    """What columns of a matrix have in common; None for columns of none."""
    odd = found.sentinels or found.literals.any() or found.exempt or column.values.dtype.kind not in "iuf"
    return None if odd else (column.dtype, found.bound)


def _share(columns: Sequence[Column], encoded: Sequence[EncodedColumn]) -> list[EncodedColumn] | None:
    """The columns in one encoding; None where some of their values do not fit it."""
    n_rows = len(columns[0].cells)
    values = np.stack([column.values for column in columns], 1).ravel()
    cells = np.stack([column.cells for column in columns], 1).ravel()
    joined = Column("", columns[0].dtype, values, cells)
    found = EncodedColumn.of_known(
        joined, encode_values(joined, values[joined.known], ColumnPlan(encoded[0].bound)), exempt=False
    )
    if found.literals.any():
        return None
    numbers = np.ascontiguousarray(found.numbers.reshape(n_rows, -1).T)
    return [replace(one, encoding=found.encoding, numbers=row) for one, row in zip(encoded, numbers, strict=True)]


def _alone(encoded: Sequence[EncodedColumn], start: int) -> float:
    """About the bytes that columns from ``start`` on take by themselves."""
    width = len(encoded) - start
    tried = np.linspace(start, len(encoded) - 1, min(width, TRIED_COLUMNS)).astype(np.int64).tolist()
    sizes = []
    for number in tried:
        earlier = [column.numbers for column in encoded[max(0, number - EARLIER_COLUMNS) : number]]
        sizes.append(len(encode_column(encoded[number].numbers, earlier)[0]))
    return width * sum(sizes) / len(sizes)


def encode_matrix(numbers: NDArray[np.int64], *, mixing: bool = False) -> bytes:
    """Numbers ``(rows, columns)`` as :func:`decode_matrix` reads them."""
    with np.errstate(over="ignore"):
        orders = [numbers]
        for _ in range(MOST_ORDER):
            orders.append(np.diff(orders[-1], axis=1, prepend=0))
    sizes = [float(np.log2(1 + np.abs(one.astype(np.float64))).sum()) for one in orders]
    order = int(np.argmin(sizes))
    coded, _ = encode_column(np.ascontiguousarray(orders[order]).ravel(), [], mixing=mixing)
    return bytes([KIND]) + varint(numbers.shape[1]) + varint(order) + coded


def decode_matrix(cursor: Cursor, n_rows: int, most_columns: int) -> list[Integers]:
    """The numbers of each column ``(rows,)`` of a matrix; the cursor stands behind its ``KIND``.

    Raises:
        DamageError: there is none such, or it has more columns than are left.
    """
    width, order = cursor.varint(), cursor.varint()
    if not 1 <= width <= most_columns or order > MOST_ORDER:
        raise DamageError(f"it holds a matrix of {width} columns and order {order}, where {most_columns} are left")
    numbers, _ = decode_column(cursor, n_rows * width, previous=[])
    matrix = numbers.reshape(n_rows, width)
    for _ in range(order):
        matrix = matrix.cumsum(axis=1)
    return list(np.ascontiguousarray(matrix.T))
