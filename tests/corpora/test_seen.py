"""Which ids were there before."""

from __future__ import annotations

import numpy as np

from vqaudio.corpora.seen import SeenIds


def test_it_says_what_a_set_says():
    random = np.random.default_rng(0)
    seen, before = SeenIds(), set()
    for _ in range(200):
        ids = [str(number) for number in random.integers(2000, size=int(random.integers(1, 40)))]
        expected = []
        for id in ids:
            expected.append(id in before)
            before.add(id)
        assert seen.add(ids) == expected
    assert 300 < len(before) < 2000


def test_eight_bytes_an_id_in_few_runs():
    seen = SeenIds()
    for start in range(0, 20_000, 500):
        seen.add([f"{number}" for number in range(start, start + 500)])
    assert sum(len(run) for run in seen._runs) == 20_000
    assert all(run.dtype == np.uint64 for run in seen._runs)
    assert len(seen._runs) <= 8
