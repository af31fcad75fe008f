"""The beam over one frame's codebooks."""

from __future__ import annotations

import numpy as np
import pytest

from vqaudio.codec.frame_search import smallest


@pytest.mark.parametrize(("paths", "width", "count"), [(1, 64, 16), (16, 64, 16), (3, 50, 4), (1, 4, 16), (4, 64, 1)])
def test_the_smallest_are_found(paths, width, count):
    random = np.random.default_rng(0)
    values = random.standard_normal((5 * paths, width)).astype(np.float32)
    base = (3 * random.standard_normal(5 * paths)).astype(np.float32)
    table = np.arange(5 * paths).reshape(5, paths)
    rows, columns, sums = smallest(values, base, table, count=count)
    every = np.sort((values + base[:, None]).reshape(5, -1), axis=1)
    assert np.array_equal(np.sort(sums, axis=1), every[:, : min(count, paths * width)])
    assert np.array_equal(values[rows, columns] + base[rows], sums)
    assert (rows // paths == np.arange(5)[:, None]).all()


@pytest.mark.parametrize("count", [1, 8])
def test_sequences_of_fewer_paths_choose_of_their_own(count):
    """The first has one row, the second three, the third two."""
    random = np.random.default_rng(1)
    values, base = random.standard_normal((6, 4)).astype(np.float32), random.standard_normal(6).astype(np.float32)
    table = np.array([[0, 0, 0], [1, 2, 3], [4, 5, 0]])
    rows, columns, sums = smallest(values, base, table, count=count)
    for sequence, own in enumerate(([0], [1, 2, 3], [4, 5])):
        found = np.sort(sums[sequence][sums[sequence] < np.inf])
        every = np.sort((values[own] + base[own, None]).ravel())
        assert np.array_equal(found, every[:count])
        kept = sums[sequence] < np.inf
        assert set(rows[sequence][kept].tolist()) <= set(own)
        assert np.array_equal((values + base[:, None])[rows, columns][sequence][kept], sums[sequence][kept])
