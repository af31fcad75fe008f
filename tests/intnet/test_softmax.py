"""A softmax in integers: worked by hand, and beside one in floating point."""

from __future__ import annotations

import numpy as np

from vqaudio.intnet.grids import LOGIT
from vqaudio.intnet.intervals import TOTAL, frequencies_of
from vqaudio.intnet.softmax import Softmax, below_largest
from vqaudio.qat.export import exp_table


def test_weights_worked_by_hand():
    softmax = Softmax(np.array([8, 4, 2, 0], np.int32))
    logits = np.array([[5, 7, 6], [-9, -9, 300]], np.float32)
    assert below_largest(logits).tolist() == [[2, 0, 1], [309, 309, 0]]
    assert softmax.weights(below_largest(logits)).tolist() == [[2, 8, 4], [0, 0, 8]]  # what is far weighs as the last
    assert softmax.frequencies(logits)[1].tolist() == [1, 1, TOTAL - 2]
    assert np.array_equal(softmax.frequencies(logits)[0], frequencies_of(np.array([2, 8, 4])))


def test_frequencies_are_those_of_a_softmax_in_floating_point():
    logits = np.random.default_rng(0).integers(-200, 200, (20, 64)).astype(np.float32)
    found = Softmax(exp_table()).frequencies(logits)
    weights = np.exp(logits.astype(np.float64) / 2 ** LOGIT[0])
    expected = weights / weights.sum(1, keepdims=True)
    assert (found.sum(1) == TOTAL).all()
    np.testing.assert_allclose(found / TOTAL, expected, atol=2e-4 * expected.max())
    assert np.array_equal(found[3], Softmax(exp_table()).frequencies(logits[3]))
