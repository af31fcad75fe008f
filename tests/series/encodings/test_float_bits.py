"""Decimals that arithmetic has moved by a few units in the last place."""

from __future__ import annotations

import numpy as np
from series_tables import back, table

from vqaudio.series import compress


def test_decimals_that_rounding_has_moved_are_exact_and_take_little():
    decimals = np.round(np.random.default_rng(0).normal(0, 5, 3000), 2)
    for moved in (
        decimals.astype(np.float32).astype(float),
        (decimals + 0.1) - 0.1,
        np.float32(decimals) * np.float32(1),
    ):
        odd = moved.copy()
        odd[::500] = np.pi
        for values in (moved, odd):
            data = compress(table(values), lossless=True)
            assert back(data).columns[0].values.tobytes() == values.tobytes()
            assert len(data) < 6000  # noise: 10 bits a value for the decimals alone
