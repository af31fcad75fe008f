"""Residuals to bytes by frequencies that adapt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain

import adaptive_reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqaudio.container.fields import DamageError
from vqaudio.series.coding import adaptive


def encoded(residuals: Sequence[int]) -> bytes:
    return adaptive.encode(np.array(residuals, np.int64))


sizes = st.integers(0, 63).map(lambda bits: 2**bits)
residuals_of_any_size = sizes.flatmap(lambda size: st.lists(st.integers(-size, size - 1), max_size=60))


@given(st.lists(residuals_of_any_size, max_size=6))
@settings(max_examples=100, deadline=None)
def test_bytes_are_those_of_the_reference_and_come_back(parts):
    residuals = [*chain(*parts)]
    data = encoded(residuals)
    assert data == adaptive_reference.encode(residuals)
    assert adaptive.decode(data, len(residuals)).tolist() == adaptive_reference.decode(data, len(residuals))
    assert adaptive_reference.decode(data, len(residuals)) == residuals


@pytest.mark.parametrize("scale", [0.3, 3.0, 1e6])
def test_long_columns_are_coded_as_by_the_reference(scale):
    """So long that frequencies are halved."""
    residuals = np.rint(np.random.default_rng(2).laplace(0, scale, 12_000)).astype(np.int64)
    data = adaptive.encode(residuals)
    assert data == adaptive_reference.encode(residuals.tolist())
    assert (adaptive.decode(data, len(residuals)) == residuals).all()


def test_zeros_take_no_bytes():
    assert encoded([0] * 100_000) == b""
    assert adaptive.decode(b"", 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0, 30.0, 1e5])
def test_laplacian_residuals_cost_little_more_than_their_entropy(scale):
    random = np.random.default_rng(0)
    residuals = np.rint(random.laplace(0, scale, 20_000)).astype(int)
    counts = np.unique(residuals, return_counts=True)[1]
    found = 8 * len(adaptive.encode(residuals)) / len(residuals)
    p0 = 1 - np.exp(-0.5 / scale)
    rest = np.exp(-0.5 / scale) * np.exp(-np.arange(40 * max(1, int(scale))) / scale) * (1 - np.exp(-1 / scale)) / 2
    entropy = -p0 * np.log2(p0) - 2 * float((rest * np.log2(rest)).sum())
    assert len(counts) > 1
    assert entropy - 0.06 < found < 1.025 * entropy + 0.03


def test_a_change_of_size_is_followed():
    random = np.random.default_rng(1)
    quiet, loud = (np.rint(random.normal(0, size, 5000)).astype(int).tolist() for size in (1, 500))
    apart = len(encoded(quiet)) + len(encoded(loud))
    assert len(encoded(quiet + loud)) < apart + 30


def test_damaged_bytes_give_integers_or_damage_and_soon():
    data = bytearray(encoded(range(-50, 50)))
    ends = set()
    for at in range(len(data)):
        data[at] ^= 0xFF
        try:
            ends.add(len(adaptive.decode(bytes(data), 100)))
        except DamageError as damage:
            ends.add(str(damage))
        data[at] ^= 0xFF
    assert ends <= {100, "its values do not fit 64 bits"}
    assert 100 in ends
    with pytest.raises(DamageError, match="do not fit 64 bits"):
        adaptive.decode(b"\xff" * 1000, 1000)


@given(st.binary(min_size=1, max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_as_by_the_reference(data):
    try:
        found = adaptive.decode(data, 60).tolist()
    except DamageError:
        found = None
    try:
        expected = adaptive_reference.decode(data, 60)
    except DamageError:
        expected = None
    if found is not None or expected is None:  # what no writer writes is refused: numbers and lengths beyond 64 bits
        assert found == expected


def test_bytes_are_what_they_were():
    """A change here is a change of the format: files that exist would no longer be read."""
    random = np.random.default_rng(np.random.PCG64(7))
    residuals = [int(value) for scale in (1, 100, 10**6) for value in random.integers(-scale, scale + 1, 300)]
    digest = hashlib.sha256(adaptive_reference.encode([*residuals, 2**63, -(2**64)])).hexdigest()
    assert digest[:16] == "c35cf5b43a39b365"
    assert encoded(residuals) == adaptive_reference.encode(residuals)
