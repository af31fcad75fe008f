"""Products in pieces of rows."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.inference.products import product


@pytest.mark.parametrize("rows", [1, 3, 8, 16, 17, 100])
@pytest.mark.parametrize("shape", [(64, 1024), (5, 7), (600, 600)])
def test_all_rows_are_there(rows, shape):
    random = np.random.default_rng(0)
    x, weight = (random.integers(-9, 9, size).astype(np.float32) for size in ((rows, shape[0]), shape))
    out = np.empty((rows, shape[1]), np.float32)
    assert product(x, weight, out=out) is out
    assert np.array_equal(out, x.astype(np.float64) @ weight)
