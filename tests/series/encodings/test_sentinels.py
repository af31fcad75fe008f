"""Values that stand for none: what is taken for such, and what is not; that they are exact and outside of ranges."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_tables import back, column, table

from vqaudio.series import MaxError, StoredTable, compress, read_table, write_table
from vqaudio.series.encodings.sentinels import Extremes, find_sentinels

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


def found(values, *, pieces=1, others=()):
    columns = []
    for one in (values, *others):
        extremes = Extremes(one.dtype.name)
        for piece in np.array_split(one, pieces):
            extremes.add(piece)
        columns.append(extremes)
    return find_sentinels(columns)[0]


def signal(n_rows=2000, seed=0):
    return np.round(np.random.default_rng(seed).normal(10, 3, n_rows), 1)


def with_sentinel(values, sentinel, every=50):
    return np.where(np.arange(len(values)) % every == 7, np.array(sentinel, values.dtype), values)


@pytest.mark.parametrize("sentinel", [-200.0, 999.0, 99.0, 9999.0, 99.99, 1e30, -999.9])
@pytest.mark.parametrize("pieces", [1, 7])
def test_values_far_outside_that_are_written_as_such_stand_for_none(sentinel, pieces):
    assert found(with_sentinel(signal(), sentinel), pieces=pieces) == (sentinel,)


def test_ends_of_a_type_and_two_sentinels_in_a_column_do():
    values = with_sentinel(signal().astype(np.int16), -32768)
    assert found(values) == (-32768,)
    assert found(with_sentinel(values, 999, 70)) == (-32768, 999)


@pytest.mark.parametrize(
    "values",
    [
        with_sentinel(signal(), 123.0),
        with_sentinel(signal(), -1.0),
        with_sentinel(signal(), 30.0),
        with_sentinel(signal(), 999.0, every=1500),
        with_sentinel(signal() * 40, 999.0),
        np.where(np.arange(500) % 3, 0.0, 999.0),
        np.full(100, 999),
        np.arange(2000) % 100,
    ],
    ids=["no code", "beside", "near", "twice", "within", "two values", "one value", "to 99"],
)
def test_others_do_not(values):
    assert found(values) == ()


def test_what_is_a_sentinel_in_one_column_is_one_nearer_by_in_others():
    values = with_sentinel(np.round(signal() * 50), -200.0)
    assert found(values) == ()
    assert found(values, others=[with_sentinel(signal(), -200.0)]) == (-200.0,)


def test_they_are_exact_and_no_part_of_the_range_that_a_bound_is_a_share_of():
    values = with_sentinel(signal(), 9999.0)
    stored = StoredTable(compress(made := table(column(values, "x")), MaxError(0.01, relative=True)))
    decoded = stored.table().columns[0].values
    assert (decoded[values == 9999] == 9999).all()
    plain = values[values != 9999]
    assert np.abs(decoded - values).max() <= 0.01 * np.ptp(plain)
    assert made.remarks == [
        "1 of 1 columns hold values that seem to stand for none: they stay exact and are no part of a range: "
        "'x' (9999.0)"
    ]


def test_they_are_written_as_they_stood_under_a_bound_too():
    cells = [f"{value:.1f}" if value != -200 else "-200" for value in with_sentinel(signal(), -200.0).tolist()]
    text = "x\n" + "\n".join(cells) + "\n"
    stored = StoredTable(compress(read_table(io.BytesIO(text.encode()), "x.csv", suffix=".csv"), MaxError(0.3)))
    out = io.BytesIO()
    write_table(stored.table(), out, name="x.csv", suffix=".csv")
    written = out.getvalue().decode().split("\n")[1:-1]
    assert [row for row, cell in enumerate(written) if cell == "-200"] == list(range(7, 2000, 50))


def test_they_take_fewer_bytes_than_as_jumps():
    values = np.round(np.random.default_rng(0).normal(0, 1, 5000).cumsum(), 1)
    gone = np.random.default_rng(1).random(5000) < 0.1
    far = 10.0 ** np.ceil(np.log10(np.ptp(values) + 1))
    tables = [table(column(np.where(gone, sentinel, values))) for sentinel in (-20 * far, 17.3 * far)]
    sizes = [len(compress(one, mixing=False)) for one in tables]
    assert sizes[0] < 0.9 * sizes[1]


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(INTEGERS + FLOATS), st.integers(1, 400), st.booleans(), st.integers(0, 99))
def test_columns_with_them_come_back_to_the_bit_in_all_types(dtype, every, least, seed):
    values = np.random.default_rng(seed).integers(0, 20, 1000).astype(dtype)
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    sentinel = (limits.min if least else limits.max) if limits else (-999 if least else 9999)
    values[seed % every :: every] = sentinel
    decoded = back(compress(table(column(values)), lossless=True)).columns[0]
    assert decoded.values.tobytes() == values.tobytes()
    bounded = back(compress(table(column(np.arange(1000)), column(values)), MaxError(2.0))).columns[1]
    assert (np.abs(bounded.values.astype(object) - values.astype(object)) <= 2).all()
