"""How near sampled codes are to those of the training recordings."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.evaluation.memorization import distances, memorization, spans_of

RANDOM = np.random.default_rng(0)


def test_distances_are_shares_of_codes_that_differ_at_the_best_place():
    recordings = [np.array([[1, 2, 3, 4, 5], [0, 0, 0, 0, 0]]), np.array([[7, 8, 9], [1, 1, 1]])]
    spans = [
        np.array([[2, 3], [0, 0]]),  # a copy
        np.array([[2, 9], [0, 0]]),  # one of four codes differs
        np.array([[5, 7], [0, 1]]),  # across the join of two recordings: not a copy
        np.array([[6, 6], [5, 5]]),
    ]
    assert distances(spans, recordings).tolist() == [0.0, 0.25, 0.5, 1.0]


def test_spans_cover_recordings_end_to_end():
    codes = np.arange(10).reshape(1, 10)
    assert [span.tolist() for span in spans_of([codes], 4)] == [[[0, 1, 2, 3]], [[4, 5, 6, 7]]]
    assert len(spans_of([codes, codes[:, :3]], 4, step=1)) == 7


def test_what_repeats_the_training_set_is_nearer_than_what_does_not():
    learned = [RANDOM.integers(0, 50, (2, 40)) for _ in range(5)]
    held_out = [RANDOM.integers(0, 50, (2, 8)) for _ in range(40)]
    copied = spans_of(learned, 8)[:20]
    new = [RANDOM.integers(0, 50, (2, 8)) for _ in range(40)]
    assert memorization(copied, held_out, training=learned).closer == 1.0
    assert memorization(copied, held_out, training=learned).sampled == 0.0
    fresh = memorization(new, held_out, training=learned)
    assert fresh.closer < 0.3
    assert fresh.sampled == pytest.approx(fresh.held_out, abs=0.1)
