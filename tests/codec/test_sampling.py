"""Scores by a prior: what a file would take."""

from __future__ import annotations

import numpy as np
import pytest
from entropy_files import RATE, opened

from vqaudio.audio.array_source import ArraySource


@pytest.mark.parametrize("condition", ["none", "speaker=ann"])
def test_a_score_is_what_a_file_takes(toys, condition):
    wav = toys.ann[:, : 248 * 320]  # with the margin a chunk
    data = toys.codec.compress(wav, RATE, entropy="prior", condition=condition)
    (chunk,) = [opened(data)._parse(0)]
    bits = toys.codec.score(ArraySource(wav, RATE), condition=condition)
    assert [part.shape for part in bits] == [(1, 250)] * 4
    assert all((part > 0).all() for part in bits)
    total = sum(part.sum() for part in bits) / 8
    assert total - 1 <= len(chunk.stored.data) <= total + 4  # type: ignore[union-attr]


def test_a_score_counts_every_chunk_from_a_cold_start(toys):
    """Two chunks of the same sound, and two channels of it: each costs the same."""
    wav = np.concatenate([np.zeros((1, 2 * 80000), np.float32)] * 2)
    bits = toys.codec.score(ArraySource(wav, RATE), n_codebooks=2)
    assert [part.shape for part in bits] == [(2, 502)] * 2
    for part in bits:
        np.testing.assert_array_equal(part[0], part[1])
        np.testing.assert_array_equal(part[:, 20:230], part[:, 270:480])
