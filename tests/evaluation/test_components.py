"""Principal components, which reach an error that they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.evaluation.components import compress_by_components, fill_gaps


def test_components_reach_the_error_that_they_are_asked_for():
    generator = np.random.default_rng(2)
    hidden = np.cumsum(generator.normal(size=(400, 2)), 0)
    values = hidden @ generator.normal(size=(2, 6)) + 0.01 * generator.normal(size=(400, 6))
    found = compress_by_components(values, 0.2)
    assert found is not None
    assert (found.kept, found.most) == (2, 6)
    assert np.sqrt(np.mean((found.decoded - values) ** 2)) == pytest.approx(0.2, rel=0.1)
    single = compress_by_components(values[:, :1], 0.2)
    assert single is not None
    assert single.decoded.shape == (400, 1)
    assert np.sqrt(np.mean((single.decoded - values[:, :1]) ** 2)) == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(
    ("values", "error"), [(np.ones((3, 2)), 0.1), (np.ones((50, 2)), 0.1), (np.eye(50), 0.0), (np.eye(50) * 1e200, 0.1)]
)
def test_components_are_left_out_where_there_are_none(values, error):
    assert compress_by_components(values, error) is None


def test_gaps_are_filled_from_before():
    assert fill_gaps(np.array([np.nan, 1, np.nan, 2])).tolist() == [1, 1, 1, 2]
    assert fill_gaps(np.full(2, np.nan)).tolist() == [0, 0]
