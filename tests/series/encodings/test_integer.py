"""Integers within a bound."""

from __future__ import annotations

import numpy as np
import pytest
from series_tables import back, table

from vqaudio.series import MaxError, compress


@pytest.mark.parametrize(
    ("values", "bound", "largest"),
    [
        (np.arange(-100, 100), 2, 2),
        (np.array([-128, 127, 0, 5], np.int8), 100, 100),
        (np.array([2**63, 2**64 - 1, 2**63 + 5], np.uint64), 2**40, 2**40),
        (np.arange(0, 1000, 10), 4.9, 0),
    ],
)
def test_integers_stay_integers_within_the_bound(values, bound, largest):
    found = back(compress(table([0.5] * len(values), values), MaxError(bound))).columns[1]
    assert found.values.dtype == values.dtype
    assert max(abs(int(a) - int(b)) for a, b in zip(found.values, values, strict=True)) <= largest
