"""Columns of numbers as other compressors take them: every form stands for the values, within the bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from series_tables import column

from vqaudio.evaluation.number_forms import NumberColumn, filled, number_column
from vqaudio.series import Column
from vqaudio.series.table import FLOATS, INTEGERS


def forms(found: NumberColumn) -> dict[str, np.ndarray]:
    return {form.name: form.array for form in found.forms}


def test_decimals_are_integers_of_the_fewest_digits():
    found = forms(number_column(column([1.25, -0.5, 3.0]), 0.0))
    assert found["2 decimals"].tolist() == [125, -50, 300]
    assert found["2 decimals"].dtype == np.int16
    assert found["as float32"].dtype == np.float32
    assert "2 decimals" not in forms(number_column(column([1 / 3, 0.5, -0.0]), 0.0))  # nor has any form a zero's sign


def test_a_bound_makes_the_widest_step_of_the_grid():
    """Within 0.25, hundredths may be off by 25: steps of 51, wider than twice the bound."""
    found = forms(number_column(column([0.0, 0.51, 1.02, 0.25]), 0.25))
    assert found["2 decimals"].tolist() == [0, 1, 2, 0]
    assert forms(number_column(column([7, 8, 10, 13]), 1.0))["quantized"].tolist() == [0, 0, 1, 2]
    assert forms(number_column(column([0.1, 0.4, 0.9]), 0.06))["quantized"].tolist() == [1, 3, 8]


def test_gaps_take_the_value_before():
    cells = np.array([1, 0, 1, 0, 1], np.uint8)
    found = filled(Column("x", "int64", np.array([0, 5, 0, 7, 0]), cells))
    assert found.tolist() == [5, 5, 5, 7, 7]
    assert filled(Column("x", "bool", np.array([True, False]), np.zeros(2, np.uint8))).tolist() == [1, 0]


@pytest.mark.parametrize("dtype", FLOATS + INTEGERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_all_forms_of_all_types_keep_every_bound(dtype, data):
    values = data.draw(arrays.arrays(dtype, st.integers(1, 30)))
    bound = data.draw(st.sampled_from([0.0, 0.3, 1.0, 7.5, 1e6]))
    found = number_column(column(np.nan_to_num(values, nan=0.0) if dtype in FLOATS else values), bound)
    assert found.forms[0].array is found.values
    for form in found.forms:
        assert found.keeps_bound(form.restore(form.array)), form.name


def test_what_is_off_does_not_keep_the_bound():
    found = number_column(column([0.0, 1.0]), 0.5)
    assert found.keeps_bound(np.array([0.5, 0.5]))
    assert not found.keeps_bound(np.array([0.5, 0.4999]))
    assert not found.keeps_bound(np.array([np.nan, 1.0]))
    exact = number_column(column([0.0, 1.0]), 0.0)
    assert not exact.keeps_bound(np.array([-0.0, 1.0]))
    assert not number_column(column(np.array([2**63], np.uint64)), 1.0).keeps_bound(np.array([2**63 - 2], np.uint64))
