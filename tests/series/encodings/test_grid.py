"""Floats on grids: those that they lie on, and those within a bound."""

from __future__ import annotations

import numpy as np
import pytest
from series_tables import back, table

from vqaudio.series import MaxError, compress
from vqaudio.series.encodings.grid import GridEncoding, find_grid


def test_decimals_on_the_bound_itself_do_not_become_literals():
    """At a bound of 0.01, half of all values with two digits lie just between two steps of 0.02."""
    values = np.round(np.random.default_rng(0).normal(0, 3, 5000), 2)
    data = compress(table(values), MaxError(0.01))
    assert np.abs(back(data).columns[0].values - values).max() <= 0.01
    assert len(data) < 6200  # noise: 9.3 bits a value; a literal takes 64


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array([0.25, 0.5, 1.75]), GridEncoding(100.0, True, 25, 25)),
        (np.array([3.0, 5.0, 11.0]), GridEncoding(1.0, True, 2, 3)),
        (np.arange(5000) / 360, GridEncoding(360.0, True)),
        (np.arange(5000) * 0.1, GridEncoding(0.1, False)),
        (np.array([0.1, 0.2, 0.7], np.float32), GridEncoding(10.0, True, 1, 1)),
        (np.random.default_rng(0).normal(size=500), None),
        (np.array([1e300, 1.5]), None),
    ],
)
def test_the_grid_that_values_lie_on_is_found(values, found):
    assert find_grid(values) == found


def test_what_is_often_zero_stays_zero():
    """Nights without light stay dark, even where another grid would be calmer."""
    light = np.round(np.maximum(0, 700 * np.sin(np.arange(2000) / 60)) + 0.0, 1)
    found = back(compress(table(light), MaxError(0.01, relative=True))).columns[0]
    assert (found.values[light == 0] == 0).all()
    assert np.abs(found.values - light).max() <= 7
