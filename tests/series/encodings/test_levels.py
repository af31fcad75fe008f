"""Values that take few levels: the levels, and columns by them, of all types."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_tables import back, column, table

from vqaudio.series import compress
from vqaudio.series.encodings.base import EncodedValues
from vqaudio.series.encodings.grid import GridEncoding
from vqaudio.series.encodings.integer import encode_integers
from vqaudio.series.encodings.levels import LevelsEncoding, by_levels

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


def walk(n_rows, n_levels, seed=0):
    """Places that go up and down."""
    steps = np.random.default_rng(seed).integers(-3, 4, n_rows).cumsum()
    return np.abs((steps + n_levels) % (2 * n_levels) - n_levels).clip(0, n_levels - 1)


@pytest.mark.parametrize("step", [1 / 12.84, 0.067, 1 / 2963.77])
def test_steps_that_are_not_decimal_cost_as_if_they_were(step):
    places = walk(5000, 300)
    odd, even = (compress(table(column(values))) for values in (np.round(places * step, 4), np.round(places * 0.25, 4)))
    assert len(odd) < len(even) + 300
    assert back(odd).columns[0].values.tolist() == np.round(places * step, 4).tolist()


def test_floats_that_were_of_32_bits_for_a_while_are_levels_too():
    values = np.round(walk(5000, 300) * 0.067, 3).astype(np.float32).astype(np.float64)
    data = compress(table(column(values)), lossless=True)
    assert len(data) < 2700
    assert (back(data).columns[0].values == values).all()


def test_values_on_all_levels_of_their_grid_stay_as_they_are():
    found = encode_integers(walk(5000, 300), 0.0)
    assert by_levels(found) is found
    noise = encode_integers(np.random.default_rng(0).integers(0, 1 << 40, 5000), 0.0)
    assert by_levels(noise) is noise


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(INTEGERS + FLOATS), st.integers(2, 120), st.integers(0, 2**32))
def test_columns_of_few_levels_come_back_to_the_bit_in_all_types(dtype, n_levels, seed):
    bits = np.random.default_rng(seed).bytes(n_levels * np.dtype(dtype).itemsize)
    levels = np.frombuffer(bits, dtype)
    levels = levels[np.isfinite(levels)] if levels.dtype.kind == "f" else levels
    if not len(levels):
        return
    values = np.sort(levels)[walk(1000, len(levels), seed % 97)]
    found = back(compress(table(column(values)), lossless=True)).columns[0].values
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()


@pytest.mark.parametrize("spoil", ["", "!", "00", "~~~~~"])
def test_a_list_that_is_none_is_refused(spoil):
    with pytest.raises(ValueError, match=r"\w"):
        LevelsEncoding(("grid", GridEncoding(1.0, True)), spoil)


def test_numbers_beyond_the_list_are_its_ends():
    numbers = np.repeat(np.array([0, 1000, 10**6, 10**6 + 7]), 200)[walk(800, 4) * 200]
    made = by_levels(EncodedValues(GridEncoding(1.0, True), numbers, np.ones(800, bool))).encoding
    assert isinstance(made, LevelsEncoding)
    assert made.values(np.array([-1, 0, 3, 4, 2**62]), "float64").tolist() == [0, 0, 1000007, 1000007, 1000007]
