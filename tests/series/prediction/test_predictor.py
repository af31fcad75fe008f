"""Predictors there and back, and those that no writer made."""

from __future__ import annotations

import adaptive_reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_tables import coded, decoded

from vqaudio.container.fields import DamageError, varint
from vqaudio.series.prediction.predictor import LINEAR

INT64 = np.iinfo(np.int64)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_columns_come_back(data):
    rows = data.draw(st.integers(1, 80))
    whole = st.one_of(st.integers(-9, 9), st.integers(INT64.min, INT64.max))
    columns: list[np.ndarray] = []
    for _ in range(data.draw(st.integers(1, 3))):
        values = np.array(data.draw(st.lists(whole, min_size=rows, max_size=rows)), np.int64)
        assert (decoded(*coded(values, columns), rows, columns) == values).all()
        columns.append(values)


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        (np.full(1000, 12345), 8),
        (np.arange(100_000) * 3600 + 1_467_331_200, 20),
        (np.arange(-500, 500) ** 2, 20),
        (np.array([INT64.min, INT64.max, 0, INT64.max, INT64.min]), 60),
        (np.full(100, INT64.max), 20),
        (np.full(100, INT64.min), 20),
    ],
)
def test_what_is_regular_costs_next_to_nothing(values, largest):
    predictor_bytes, data = coded(values, [])
    assert len(predictor_bytes) + len(data) <= largest
    assert (decoded(predictor_bytes, data, len(values), []) == values).all()


def test_values_of_any_size_beside_each_other():
    random = np.random.default_rng(0)
    columns = [random.integers(-(2**bits), 2**bits, 500) for bits in (2, 20, 39, 41, 62)]
    columns += [column.cumsum() for column in columns[:3]]
    for number, values in enumerate(columns):
        known = columns[:number]
        assert (decoded(*coded(values, known), 500, known) == values).all()


@pytest.mark.parametrize(
    ("predictor_bytes", "said"),
    [
        (bytes([9]), "is of kind 9"),
        (bytes([LINEAR]) + varint(60) + varint(0) * 3, "holds 60"),
        (bytes([LINEAR]) + varint(12) + varint(0) + varint(33), "holds 33"),
        (bytes([LINEAR]) + varint(12) + varint(0) * 2 + varint(1) + varint(1), "holds 1"),
        (bytes([LINEAR, 12]), "ends too early"),
    ],
)
def test_absurd_predictors_are_damage(predictor_bytes, said):
    with pytest.raises(DamageError, match=said):
        decoded(predictor_bytes, b"", 5, [np.zeros(5, np.int64)])


def test_residuals_beyond_64_bits_are_damage():
    with pytest.raises(DamageError, match="do not fit 64 bits"):
        decoded(bytes([0]), adaptive_reference.encode([2**70]), 1, [])
