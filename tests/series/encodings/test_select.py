"""Which encoding a column gets: clocks, exact floats, infinities and NaNs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from series_files import npy, through_memory
from series_tables import back, clock, column, same_tables, table

from vqaudio.errors import SeriesError
from vqaudio.series import Column, MaxError, Prd, Psnr, RelativeError, compress, read_table


@pytest.mark.parametrize("first", [clock(5000), column(np.arange(5000) / 360, "t"), column(np.arange(5000), "n")])
def test_a_clock_is_exact_and_costs_next_to_nothing(first):
    values = np.random.default_rng(0).normal(size=5000)
    with_clock, without = (compress(table(*c), MaxError(0.1)) for c in ([first, column(values)], [values]))
    assert (back(with_clock).columns[0].values == first.values).all()
    assert len(with_clock) < len(without) + 80


def test_an_irregular_clock_is_exact_under_a_name_for_time():
    stamps = np.random.default_rng(0).exponential(1.0, 300).cumsum()
    for name, exact in (("time (s)", True), ("depth", False)):
        found = back(compress(table(column(stamps, name), stamps), MaxError(0.5)))
        assert (found.columns[0].values == stamps).all() == exact
        assert np.abs(found.columns[0].values - stamps).max() <= 0.5


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_with_row_and_column(value):
    values = np.array([np.nan, 1.0, 2.0, value])
    with pytest.raises(SeriesError, match=r"t\.csv: row 4 of column 'c1' holds -?inf"):
        compress(table([1, 2, 3, 4], values), name="t.csv")


@pytest.mark.parametrize("bound", [MaxError(0.1), MaxError(0.01, relative=True), RelativeError(0.01), Psnr(40), Prd(1)])
def test_infinities_stay_exact_under_any_bound(bound):
    values = np.random.default_rng(0).normal(size=200)
    values[[3, 150]] = np.inf, -np.inf
    found, finite = back(compress(table(values), bound)).columns[0].values, np.isfinite(values)
    assert np.array_equal(np.isfinite(found), finite)
    assert found[[3, 150]].tolist() == [np.inf, -np.inf]
    assert 0 < np.abs(found[finite] - values[finite]).max() < 0.2


def test_without_options_integers_and_decimals_are_exact_and_other_floats_refused():
    fine = table([1, 2, 5], [0.25, 0.5, 7.125], [True, False, True], ["a", "b", "a"])
    fine.columns[3] = Column("s", "string", np.array(["a", "b", "a"], object), np.zeros(3, np.uint8))
    assert same_tables(fine, back(compress(fine)))
    noise = table(np.random.default_rng(0).normal(size=50))
    with pytest.raises(SeriesError, match=r"'c0' holds floats without a fixed number of digits: .*--max-error 1%"):
        compress(noise)
    assert same_tables(noise, back(compress(noise, lossless=True)))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("n_odd", [1, 3, 90])
def test_lossless_keeps_infinities_and_the_bits_of_nan(dtype, n_odd):
    random = np.random.default_rng(0)
    for values in (np.round(random.normal(size=300), 1), random.normal(size=300)):
        array = values.astype(dtype)
        unsigned = array.view(f"u{array.itemsize}")
        unsigned[[5, 6]] = np.array(np.nan, dtype).view(unsigned.dtype)
        top = unsigned[5] | np.array(1, unsigned.dtype) << np.array(8 * array.itemsize - 1, unsigned.dtype)
        for at in range(n_odd):
            array[10 + 3 * at], array[11 + 3 * at] = np.inf, -np.inf
            unsigned[12 + 3 * at - 2 * (at % 2)] = top + np.array(at, unsigned.dtype)
        assert through_memory(npy(array), ".npy") == npy(array)


def test_infinities_without_lossless_or_a_bound_are_refused_with_what_to_do():
    table = read_table(io.BytesIO(npy(np.array([1.0, -np.inf]))), "x.npy", suffix=".npy")
    with pytest.raises(SeriesError, match=r"row 2 of column '' holds -inf.*or keep all bits \(--lossless\)"):
        compress(table, name="x.npy")


def test_plain_nan_needs_no_bits_of_its_own():
    values = np.round(np.random.default_rng(0).normal(size=3000), 1)
    values[::7] = np.nan
    table = read_table(io.BytesIO(npy(values)), "x.npy", suffix=".npy")
    assert len(compress(table, lossless=True)) == len(compress(table))


def test_values_stay_exact_where_a_bound_is_little_more_than_their_own_steps():
    steps = np.random.default_rng(0).integers(-3, 4, 5000).cumsum()
    values = np.round(steps * 0.067, 3)
    bounded, exact = (compress(table(column(values)), max_error) for max_error in (MaxError(0.034), None))
    assert (back(bounded).columns[0].values == values).all()
    assert len(bounded) <= len(exact) + 20
    far = back(compress(table(column(values)), MaxError(0.4))).columns[0].values
    assert 0 < np.abs(far - values).max() <= 0.4
