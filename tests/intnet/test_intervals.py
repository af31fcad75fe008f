"""Integer weights to frequencies, and these to intervals: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.intnet.intervals import TOTAL, bits_of, frequencies_of, intervals_of


@pytest.mark.parametrize(
    ("weights", "frequencies"),
    [
        ([1, 1], [524288, 524288]),
        ([1, 1, 2], [262144, 262144, 524288]),  # 1 + 1048573 / 4, and the last gets the 1 that rounding left
        ([1, 1, 1], [349526, 349525, 349525]),  # among equals, the first gets it
        ([0, 7], [1, 1048575]),
        ([2**40, 0, 0], [1048574, 1, 1]),
        ([0, 2**42, 2**42], [1, 524288, 524287]),
    ],
)
def test_frequencies_worked_by_hand(weights, frequencies):
    assert frequencies_of(np.array(weights)).tolist() == frequencies
    assert sum(frequencies) == TOTAL


def test_every_symbol_of_the_largest_alphabet_has_its_place():
    weights = np.zeros((2, 65536), np.int64)
    weights[0] += 1
    weights[1, 12345] = 1
    frequencies = frequencies_of(weights)
    assert (frequencies[0] == 16).all()
    assert frequencies[1, 12345] == TOTAL - 65535
    assert (frequencies.sum(-1) == TOTAL).all()


def test_intervals_and_bits_worked_by_hand():
    frequencies = np.array([[524288, 262144, 262144], [1, 2, 1048573]])
    starts, chosen = intervals_of(frequencies, np.array([1, 2]))
    assert starts.tolist() == [524288, 3]
    assert chosen.tolist() == [262144, 1048573]
    assert bits_of(np.array([524288, 262144, 1])).tolist() == [1, 2, 20]


@pytest.mark.parametrize("alphabet", [1, 2, 64, 1024])
def test_one_distribution_is_the_same_alone_and_beside_others(alphabet):
    weights = np.random.default_rng(alphabet).integers(0, 2**24, (50, alphabet)) ** 2 >> 24
    weights[:, 0] += 1
    together = frequencies_of(weights)
    assert all(np.array_equal(frequencies_of(row), found) for row, found in zip(weights, together, strict=True))
