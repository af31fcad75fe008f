"""Residuals to bytes by frequencies that adapt."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqaudio.container.fields import DamageError
from vqaudio.intnet.rangecoder import PRECISION
from vqaudio.series.coding import adaptive


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
