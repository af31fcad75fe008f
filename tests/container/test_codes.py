"""Codes within chunks: equal channels, and entropy coders."""

from __future__ import annotations

import io
from binascii import crc_hqx
from itertools import zip_longest

import numpy as np
import pytest
from vq_files import (
    TINY,
    Pipe,
    chunk_starts,
    random_chunks,
    read,
    same,
    sealed,
    written,
)

from vqaudio.container import Reader, SoundHeader, Stream, Writer
from vqaudio.errors import ContainerError


def test_identical_channels_are_stored_once():
    def size(channels, equal):
        header = SoundHeader("0" * 12, 16000, 16000, 320, 250, channels, (Stream(1024),) * 3)
        [codes] = random_chunks(header, 250)
        if equal:
            codes = [np.repeat(block[:1], channels, axis=0) for block in codes]
        return len(written(header, [codes], 80000))

    assert size(6, equal=True) == size(1, equal=True) + 5
    assert size(6, equal=False) > 5.5 * size(1, equal=False)


class Halving:
    """A coder for one stream: codes below 16 take four bits, and with one of 99 or more all take three bytes."""

    def __init__(self):
        self.batches = []

    def encode(self, codes):
        small = [value for block in codes for value in block.ravel().tolist()]
        if max(small) >= 99:
            return b"\xff" * 3 * len(small)
        return bytes(a << 4 | b for a, b in zip_longest(small[::2], small[1::2], fillvalue=0))

    def decode(self, chunks):
        self.batches.append(len(chunks))
        return [self._decoded(chunk) for chunk in chunks]

    def _decoded(self, chunk):
        values = np.array([part for byte in chunk.data for part in (byte >> 4, byte & 15)], np.int32)
        return [values[: chunk.channels * chunk.n_frames].reshape(chunk.channels, chunk.n_frames)]


CODED = SoundHeader("00112233aabb", 8000, 8000, 200, 8, 3, (Stream(1024),), entropy="context")


def coded_file():
    """Three chunks of three channels, the first two equal: coded, raw because coding would not pay, coded and short."""
    rng = np.random.default_rng(5)
    chunks = [np.repeat(rng.integers(0, 16, (2, n)), [2, 1], axis=0) for n in (8, 8, 5)]
    chunks[1] += 99
    file = io.BytesIO()
    writer = Writer(file, CODED, coder=Halving())
    for codes in chunks:
        writer.write([codes])
    writer.close(21 * 200)
    return file.getvalue(), chunks


def test_coded_chunks_come_back_side_by_side_and_fall_back_where_coding_does_not_pay():
    data, chunks = coded_file()
    kinds = [data[at] for at in chunk_starts(data)]
    assert kinds == [0xC0, 0xC1, 0xC2]
    coder = Halving()
    reader = Reader(io.BytesIO(data), "x.vq", coder_for=lambda header: coder)
    found = list(reader)
    assert [chunk.problem for chunk in found] == [None] * 3
    assert all(same(chunk.codes, [codes]) for chunk, codes in zip(found, chunks, strict=True))
    assert coder.batches == [2]  # both coded chunks at once
    assert same(reader.chunk(2).codes, [chunks[2]])


def test_codes_that_a_coder_got_wrong_are_caught_by_their_digest():
    data, chunks = coded_file()
    wrong = Halving()
    wrong._decoded = lambda chunk: [Halving._decoded(wrong, chunk)[0] ^ 1]
    first, second, third = Reader(io.BytesIO(data), "x.vq", coder_for=lambda header: wrong)
    assert (first.codes, third.codes) == (None, None)
    assert first.problem == third.problem == "its codes do not match their digest"
    assert same(second.codes, [chunks[1]])  # raw


def test_files_that_need_a_coder_say_so():
    data, chunks = coded_file()
    reader = Reader(io.BytesIO(data), "x.vq")
    assert same(reader.chunk(1).codes, [chunks[1]])  # raw: no coder is needed
    with pytest.raises(ContainerError, match=r"^x\.vq: entropy mode context cannot be read without its coder$"):
        reader.chunk(0)
    with pytest.raises(ValueError, match="entropy mode context with no coder"):
        Writer(Pipe(), CODED)
    with pytest.raises(ValueError, match="entropy mode none with a coder"):
        Writer(Pipe(), TINY, coder=Halving())


def test_a_channel_cannot_equal_one_that_is_not_stored_itself():
    header = SoundHeader("0" * 12, 8000, 8000, 200, 8, 3, (Stream(256),))
    row = bytes(range(8))
    digest = crc_hqx(np.frombuffer(row * 3, np.uint8).astype("<u2").tobytes(), 0xFFFF).to_bytes(2, "little")
    for equals, problem in ((b"\0\0", None), (b"\0\1", "channel 2 is said to equal channel 1, which is not stored")):
        reader = read(header.to_bytes() + sealed(b"\xc0\x00\x0a" + equals + row + digest))
        assert str(reader.chunk(0).problem).startswith(str(problem))
