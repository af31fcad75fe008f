"""Integers to bytes: the adaptive coder, and the predictors in front of it."""

from __future__ import annotations

import hashlib
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.intnet.rangecoder import PRECISION
from vqaudio.series.coding import adaptive
from vqaudio.series.prediction import fitting
from vqaudio.series.prediction.fitting import predict
from vqaudio.series.prediction.predictor import LINEAR, Predictor

INT64 = np.iinfo(np.int64)


def coded(values: np.ndarray, columns: list[np.ndarray]) -> tuple[bytes, bytes]:
    predictor, residuals = predict(values, columns)
    return predictor.to_bytes(), adaptive.encode(residuals)


def decoded(head: bytes, data: bytes, count: int, columns: list[np.ndarray]) -> np.ndarray:
    return Predictor.from_cursor(Cursor(head), len(columns)).restore(adaptive.decode(data, count), columns)


# ------------------------------------------------------------------------------------------------------------- coder


@given(st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**70), 2**70)), max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_integers_come_back(residuals):
    assert adaptive.decode(adaptive.encode(residuals), len(residuals)) == residuals


def test_zeros_take_no_bytes():
    assert adaptive.encode([0] * 100_000) == b""
    assert adaptive.decode(b"", 3) == [0, 0, 0]


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0, 30.0, 1e5])
def test_laplacian_residuals_cost_little_more_than_their_entropy(scale):
    random = np.random.default_rng(0)
    residuals = np.rint(random.laplace(0, scale, 20_000)).astype(int)
    counts = np.unique(residuals, return_counts=True)[1]
    found = 8 * len(adaptive.encode(residuals.tolist())) / len(residuals)
    p0 = 1 - np.exp(-0.5 / scale)
    rest = np.exp(-0.5 / scale) * np.exp(-np.arange(40 * max(1, int(scale))) / scale) * (1 - np.exp(-1 / scale)) / 2
    entropy = -p0 * np.log2(p0) - 2 * float((rest * np.log2(rest)).sum())
    assert len(counts) > 1
    assert entropy - 0.06 < found < 1.025 * entropy + 0.03


def test_a_change_of_size_is_followed():
    random = np.random.default_rng(1)
    quiet, loud = (np.rint(random.normal(0, size, 5000)).astype(int).tolist() for size in (1, 500))
    apart = len(adaptive.encode(quiet)) + len(adaptive.encode(loud))
    assert len(adaptive.encode(quiet + loud)) < apart + 30


def test_intervals_are_whole_and_found_again():
    tables = adaptive.FrequencyTables()
    for token in [0, 1, 5, adaptive.ESCAPE] * 700:
        tables.update(7, token)
    end = 0
    for token in range(adaptive.ALPHABET):
        start, size = tables.interval(7, token)
        assert start == end
        assert size >= 1
        assert tables.token_at(7, start) == tables.token_at(7, start + size - 1) == token
        end += size
    assert end == 1 << PRECISION
    assert tables.sums[7] == sum(tables.frequencies[7]) <= adaptive.MOST_TOTAL


def test_damaged_bytes_give_integers_or_damage_and_soon():
    data = bytearray(adaptive.encode(list(range(-50, 50))))
    ends = set()
    for at in range(len(data)):
        data[at] ^= 0xFF
        try:
            ends.add(len(adaptive.decode(bytes(data), 100)))
        except DamageError as damage:
            ends.add(str(damage))
        data[at] ^= 0xFF
    assert ends <= {100, "it holds a number beyond all bounds"}
    assert 100 in ends
    with pytest.raises(DamageError, match="beyond all bounds"):
        adaptive.decode(b"\xff" * 1000, 1000)


def test_bytes_are_what_they_were():
    """A change here is a change of the format: files that exist would no longer be read."""
    random = np.random.default_rng(np.random.PCG64(7))
    residuals = [int(value) for scale in (1, 100, 10**6) for value in random.integers(-scale, scale + 1, 300)]
    digest = hashlib.sha256(adaptive.encode([*residuals, 2**63, -(2**64)])).hexdigest()
    assert digest[:16] == "c35cf5b43a39b365"


# --------------------------------------------------------------------------------------------------------- predictors


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
    head, data = coded(values, [])
    assert len(head) + len(data) <= largest
    assert (decoded(head, data, len(values), []) == values).all()


def sines(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    time = np.arange(rows)
    one = 300 * np.sin(time / 7) + 200 * np.sin(time / 23) + random.normal(0, 2, rows)
    return np.rint(one).astype(np.int64), np.rint(0.5 * one + random.normal(0, 1, rows)).astype(np.int64)


def test_waves_are_predicted_from_the_values_before():
    values, _ = sines()
    head, data = coded(values, [])
    assert head[0] == LINEAR
    plain = min(len(adaptive.encode(one.tolist())) for one in islice(fitting._differences(values), 4))
    assert len(head) + len(data) < 0.8 * plain
    assert (decoded(head, data, len(values), []) == values).all()


def test_a_column_is_predicted_from_another():
    one, other = sines()
    alone, beside = (sum(map(len, coded(other, columns))) for columns in ([], [one]))
    assert beside < 0.8 * alone
    assert (decoded(*coded(other, [one]), len(one), [one]) == other).all()


def test_values_of_any_size_beside_each_other():
    random = np.random.default_rng(0)
    columns = [random.integers(-(2**bits), 2**bits, 500) for bits in (2, 20, 39, 41, 62)]
    columns += [column.cumsum() for column in columns[:3]]
    for number, values in enumerate(columns):
        known = columns[:number]
        assert (decoded(*coded(values, known), 500, known) == values).all()


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (bytes([9]), "is of kind 9"),
        (bytes([LINEAR]) + varint(60) + varint(0) * 3, "holds 60"),
        (bytes([LINEAR]) + varint(12) + varint(0) + varint(33), "holds 33"),
        (bytes([LINEAR]) + varint(12) + varint(0) * 2 + varint(1) + varint(1), "holds 1"),
        (bytes([LINEAR, 12]), "ends too early"),
    ],
)
def test_absurd_predictors_are_damage(head, said):
    with pytest.raises(DamageError, match=said):
        decoded(head, b"", 5, [np.zeros(5, np.int64)])


def test_residuals_beyond_64_bits_are_damage():
    with pytest.raises(DamageError, match="do not fit 64 bits"):
        decoded(bytes([0]), adaptive.encode([2**70]), 1, [])
