"""Counts worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from priors import (
    walked,
)

from vqaudio.container import Stream
from vqaudio.intnet.intervals import bits_of
from vqaudio.prior.context import ContextPrior


def test_counts_within_a_sequence_worked_by_hand():
    codes = [np.array([[0, 0, 0]])]
    alone, paired = (walked(ContextPrior([Stream(2)], order), codes)[0][0].tolist() for order in (0, 1))
    assert alone == [[524288, 524288], [699051, 349525], [786432, 262144]]  # 1:1, 2:1, 3:1
    assert paired == [[524288, 524288], [699051, 349525], [838861, 209715]]  # the pair 0 0 adds one more: 4:1


def test_learned_counts_worked_by_hand():
    alone, paired = ContextPrior([Stream(2)], order=0), ContextPrior([Stream(2)], order=1)
    for prior in (alone, paired):
        prior.learn([[np.array([0, 0]), np.array([0, 1])]])
    # Three of four codes are 0: 1 + 1024 * 2 * 3 / 4, and so on.
    assert alone.expected(0, None).tolist() == alone.expected(0, 0).tolist() == paired.expected(0, None).tolist()
    assert alone.expected(0, None).tolist() == [1537, 513]
    # The pairs 0 0 and 0 1 came once each, 1024 apiece, on top of 16 times the above; the recordings do not touch.
    assert paired.expected(0, 0).tolist() == [1 + 24592 + 1024, 1 + 8208 + 1024]
    assert paired.expected(0, 1).tolist() == [1 + 24592, 1 + 8208]


def test_learned_counts_do_not_adapt_but_others_do():
    codes = [np.full((1, 200), 3)]
    fixed, adaptive = ContextPrior([Stream(16)], 0), ContextPrior([Stream(16)], 0)
    fixed.learn([[np.arange(16)]])
    assert len(set(fixed.intervals(codes)[0][1][0].tolist())) == 1
    costs = bits_of(adaptive.intervals(codes)[0][1])[0]
    assert (np.diff(costs) < 0).all()
    assert costs[0] == pytest.approx(4, abs=1e-3)
    assert costs[-1] < 0.2


def test_order_one_pays_where_codes_follow_each_other():
    codes = [np.arange(160)[None] % 16]
    costs = [bits_of(ContextPrior([Stream(16)], order).intervals(codes)[0][1]).sum() for order in (0, 1)]
    assert costs[1] < 0.5 * costs[0]
