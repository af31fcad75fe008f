"""Margin and levels, of which version 1 knows nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from vq_files import (
    EDGED,
    EDGED_LEVELS,
    EDGED_PARTS,
    EDGED_SAMPLES,
    GOLDEN,
    HEADER_SIZE,
    SPEECH,
    TINY,
    TINY_CODES,
    Pipe,
    random_chunks,
    read,
    same,
    sealed,
    trailer,
    written,
)

from vqaudio.container import PLAIN, Level, Writer


def test_margin_and_levels_are_written_and_read():
    pipe = Pipe()
    writer = Writer(pipe, EDGED)
    for codes, levels in zip(TINY_CODES, EDGED_LEVELS, strict=True):
        writer.write(codes, levels)
    writer.close(EDGED_SAMPLES)
    assert bytes(pipe.data) == b"".join(EDGED_PARTS)
    reader = read(pipe.data)
    assert reader.header == EDGED
    assert (reader.n_samples, reader.problems) == (EDGED_SAMPLES, [])
    for chunk, codes, levels in zip(reader, TINY_CODES, EDGED_LEVELS, strict=True):
        assert same(chunk.codes, codes)
        assert chunk.levels == levels


@pytest.mark.parametrize("mask", [0xFF, 0x55, *(1 << bit for bit in range(8))])
def test_every_flipped_byte_of_a_chunk_with_levels_loses_that_chunk_alone(mask):
    start = len(b"".join(EDGED_PARTS[:2]))
    for end in (EDGED_PARTS[3], b""):
        for place in range(len(EDGED_PARTS[2])):
            data = bytearray(b"".join(EDGED_PARTS[:3]) + end)
            data[start + place] ^= mask
            first, *others = read(bytes(data))
            assert same(first.codes, TINY_CODES[0])
            assert all(chunk.problem and chunk.codes is None and not chunk.levels for chunk in others)


def test_the_margin_moves_times_and_places():
    header = replace(SPEECH, margin=320)
    assert [header.n_frames(n) for n in (0, 1, 882, 883, 248 * 882)] == [0, 3, 3, 4, 250]
    reader = read(written(header, random_chunks(header, 600), 598 * 882))
    assert [reader.time_range(i) for i in range(3)] == [(0, 4.98), (4.98, 9.98), (9.98, pytest.approx(11.96))]
    cut = read(written(header, random_chunks(header, 600), 598 * 882)[:-1])
    assert (cut.has_trailer, cut.n_samples, cut.n_chunks) == (False, 598 * 882, 3)


WITH_LEVELS = bytes.fromhex("c4 00 0c 0000 04ff0f 00 0040200fe780 4287")
LEVEL_FORGERIES = [
    (WITH_LEVELS, None),
    (WITH_LEVELS.replace(b"\x04\xff\x0f", b"\x00\x00", 1).replace(b"\x0c", b"\x0b", 1), "they change nothing"),
    (WITH_LEVELS.replace(b"\x04\xff", b"\x80\x01\xff", 1).replace(b"\x0c", b"\x0d", 1), r"the level 2\^64"),
    (WITH_LEVELS.replace(b"\xff\x0f", b"\x80\x80\x80\x80\x01", 1).replace(b"\x0c", b"\x0f", 1), "offset 134217728"),
    (WITH_LEVELS.replace(b"\xff\x0f", b"\x81\x00", 1), "longer than it needs"),
    (WITH_LEVELS[:2] + b"\x04\0\0\x04\xff" + WITH_LEVELS[-2:], "ends too early"),
    (WITH_LEVELS.replace(b"\x0c", b"\x7f", 1), "said to have 127 bytes, and at most 24"),
]


@pytest.mark.parametrize(("body", "message"), LEVEL_FORGERIES)
def test_levels_that_only_the_checksum_vouches_for_are_refused(body, message):
    chunk = read(EDGED_PARTS[0] + sealed(body) + trailer(b"\xe4\x0d" + bytes([2 * len(body) + 8]))).chunk(0)
    if message is None:
        assert chunk.levels == EDGED_LEVELS[1]
    else:
        assert re.search(message, str(chunk.problem))


def test_version_1_knows_no_levels():
    reader = read(GOLDEN[:HEADER_SIZE] + sealed(WITH_LEVELS) + trailer(bytes.fromhex("b81b 2a")))
    assert "starts with byte c4" in str(reader.chunk(0).problem)
    with pytest.raises(ValueError, match="2 levels for 2 channels in format version 1"):
        Writer(Pipe(), TINY).write(TINY_CODES[0], EDGED_LEVELS[1])


@pytest.mark.parametrize("level", [Level(64), Level(-65), Level(0, 2**27), Level(0, -(2**27))])
def test_writer_refuses_levels_that_do_not_fit(level):
    with pytest.raises(ValueError, match="beyond what a chunk can hold"):
        Writer(Pipe(), EDGED).write(TINY_CODES[0], (PLAIN, level))
    with pytest.raises(ValueError, match="1 levels for 2 channels"):
        Writer(Pipe(), EDGED).write(TINY_CODES[0], (PLAIN,))
