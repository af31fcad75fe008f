"""The beam over one frame's codebooks."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_priors import toy_prior
from tools import MODEL, synthetic, tiny_codec

import vqaudio
from vqaudio.codec.costs import CodeCosts
from vqaudio.codec.frame_search import FrameSearch, smallest
from vqaudio.prior.integer import IntegerPrior


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> IntegerPrior:
    """Of four streams of 64 codes."""
    path = toy_prior(tmp_path_factory.mktemp("priors") / "a.int8.safetensors", tiny_codec(), [synthetic(2, 16000)[0]])
    return vqaudio.load(MODEL, prior=path).prior


def codebooks() -> list[np.ndarray]:
    """Random ones that shrink from stream to stream; a quarter of the codes of all but the first are stop codes."""
    random = np.random.default_rng(2)
    books = [(0.6**level * random.standard_normal((64, 8))).astype(np.float32) for level in range(4)]
    for book in books[1:]:
        book[:16] = 0.0
    return books


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


def test_frames_that_end_early_and_others_go_side_by_side(prior):
    """Sequences of more paths and of fewer: each has the codes that it has alone, better ones than without a beam."""
    books, frames = codebooks(), 12
    vectors = np.random.default_rng(3).standard_normal((frames, 6, 8)).astype(np.float32)
    worth = np.geomspace(0.05, 20.0, 6, dtype=np.float32)

    def searched(part: slice, beam_width: int) -> tuple[np.ndarray, np.ndarray]:
        costs = CodeCosts(prior, 4)
        search = FrameSearch(books, costs, batch=len(worth[part]), beam_width=beam_width)
        codes, nats = zip(*(search(frame[part], worth[part]) for frame in vectors), strict=True)
        latents = [sum(book[codes] for book, codes in zip(books, found, strict=True)) for found in codes]
        distances = np.square(vectors[:, part] - np.stack(latents)).sum(2)
        return np.stack(codes), distances / worth[part] + np.stack(nats)

    together, objective = searched(slice(None), 16)
    for item in range(6):
        assert np.array_equal(searched(slice(item, item + 1), 16)[0][..., 0], together[..., item])
    used = together.swapaxes(0, 1)[1:]
    ended = np.mean([(book[codes] == 0).all(-1) for book, codes in zip(books[1:], used, strict=True)], (0, 1))
    assert ended[0] < 0.05 < 0.25 < ended[-1]
    assert objective.mean() < 0.95 * searched(slice(None), 1)[1].mean()
