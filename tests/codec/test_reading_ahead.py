"""Chunks that an entropy coder decodes side by side, ahead of what is read."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from entropy_files import MODES, RATE, stored

from vqaudio.codec.opened import open_vq
from vqaudio.container import Chunk, Reader


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The chunks that readers were asked for, call by call."""
    found: list[list[int]] = []
    chunks = Reader.chunks

    def spy(self: Reader, indices: Sequence[int]) -> list[Chunk]:
        found.append(list(indices))
        return chunks(self, indices)

    monkeypatch.setattr(Reader, "chunks", spy)
    return found


@pytest.mark.parametrize("mode", MODES)
def test_a_sound_read_through_decodes_each_chunk_once(toys, read, mode):
    file = toys.codec.open(open_vq(io.BytesIO(stored(toys, toys.ann, mode, 0.3)), name="x.vq"))
    assert file.stored.reader.n_chunks == 17
    expected = [1] * 17 if mode == "none" else [1, 2, 4, 8, 2]  # side by side where that is quicker
    for start in range(0, file.n_samples, 1000):
        file.read(start, start + 1000)
    assert [len(indices) for indices in read] == expected
    assert sorted(index for indices in read for index in indices) == list(range(17))
    assert not file.damage


def test_a_part_far_on_decodes_little_else(toys, read):
    file = toys.codec.open(open_vq(io.BytesIO(stored(toys, toys.ann, "prior", 0.3)), name="x.vq"))
    file.read(4 * RATE, 4 * RATE + 100)  # in chunk 13; the decoder sees 0.2 s to either side
    assert min(index for indices in read for index in indices) == 12
    assert sum(map(len, read)) <= 1 + 2 + 4
