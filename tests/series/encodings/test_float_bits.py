"""Decimals that arithmetic has moved by a few units in the last place."""

from __future__ import annotations

import numpy as np
import pytest
from series_tables import back, table

from vqaudio.series import compress
from vqaudio.series.encodings.float_bits import encode_near_decimals


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


@pytest.mark.parametrize("digits", [8, 9])
def test_float_noise_among_long_decimals_costs_little_more_than_these(digits):
    walk = np.round(np.random.default_rng(0).normal(0, 1e-6, 2000).cumsum() + 100, digits)
    noisy = np.where(np.arange(2000) % 3 == 0, np.nextafter(walk, 200), walk)
    assert len(compress(table(noisy), lossless=True)) < len(compress(table(walk), lossless=True)) + 800
    assert (back(compress(table(noisy), lossless=True)).columns[0].values == noisy).all()
    assert encode_near_decimals(np.random.default_rng(0).normal(100, 1, 2000)) is None
