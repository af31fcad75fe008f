"""Wide tables: neighbouring columns as one matrix, in which time runs along the columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_tables import back, column, table

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series import MaxError, StoredTable, compress
from vqaudio.series import matrix as matrices

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def days(n_rows=60, n_days=90, seed=0):
    """Sums that hardly fall, each row of a size of its own."""
    random = np.random.default_rng(seed)
    return random.poisson(random.gamma(0.3, 60, (n_rows, 1)), (n_rows, n_days)).cumsum(1)


def wide(values):
    return table(*(column(values[:, day], f"day {day}") for day in range(values.shape[1])))


def test_a_column_for_each_day_is_one_matrix_and_takes_far_fewer_bytes():
    values = days()
    data, apart = (compress(wide(values), independent=independent) for independent in (False, True))
    assert len(data) < 0.8 * len(apart)
    found = back(data)
    assert all((one.values == values[:, day]).all() for day, one in enumerate(found.columns))
    names = [column.predictor for column in next(iter(StoredTable(data).chunks()))[1].columns]
    assert names == [matrices.NAME] * 90


def test_other_columns_beside_and_gaps_within_come_back():
    values = days().astype(np.float64) / 4
    columns = [column(values[:, day], f"{day}") for day in range(values.shape[1])]
    columns[40].values[7], columns[40].cells[7] = 0, 1
    places = column(np.arange(60), "place")
    found = back(compress(table(places, *columns, column(values[:, 0].astype(np.float32), "last"))))
    assert found.columns[41].cells.tolist() == columns[40].cells.tolist()
    for one, other in zip([places, *columns], found.columns, strict=False):
        assert one.values.tolist() == other.values.tolist()


def test_columns_of_one_bound_share_it():
    values = days().astype(np.float64)
    found = back(compress(wide(values), MaxError(2.5)))
    assert max(np.abs(one.values - values[:, day]).max() for day, one in enumerate(found.columns)) <= 2.5


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(INTEGERS), st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
def test_matrices_of_any_integers_come_back(dtype, n_rows, width, seed):
    raw = np.random.default_rng(seed).bytes(n_rows * width * np.dtype(dtype).itemsize)
    numbers = np.frombuffer(raw, dtype).astype(np.int64).reshape(n_rows, width)
    cursor = Cursor(matrices.encode_matrix(numbers))
    assert cursor.take(1) == bytes([matrices.KIND])
    assert (np.stack(matrices.decode_matrix(cursor, n_rows, width), 1) == numbers).all()
    assert cursor.position == len(cursor.data)


@pytest.mark.parametrize("data", [varint(0) + varint(1), varint(9) + varint(1), varint(2) + varint(3)])
def test_matrices_that_no_writer_makes_are_damage(data):
    with pytest.raises(DamageError, match="where 8 are left"):
        matrices.decode_matrix(Cursor(data), 4, 8)
