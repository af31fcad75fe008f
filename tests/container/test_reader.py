"""Times and places, and every kind of damage: an error, a report, or no change at all."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vq_files import (
    GOLDEN,
    HEADER_SIZE,
    SPEECH,
    TINY,
    TINY_CHUNKS,
    TINY_CODES,
    TINY_SAMPLES,
    TINY_TRAILER,
    random_chunks,
    read,
    same,
    samples_for,
    sealed,
    trailer,
    written,
)

from vqaudio.container import Reader, SoundHeader, Stream
from vqaudio.errors import ContainerError


def test_times_rates_and_places():
    reader = read(written(SPEECH, random_chunks(SPEECH, 600), 12 * 44100 - 441))
    assert (SPEECH.frame_rate, SPEECH.chunk_seconds, SPEECH.bits_per_second) == (50, 5, 1500)
    assert [reader.time_range(i) for i in range(3)] == [(0, 5), (5, 10), (10, pytest.approx(11.99))]
    with pytest.raises(IndexError):
        reader.chunk(3)


def outcome_is_honest(data):
    """The chunks that are right, for a damaged golden file: an error, a report, or no change at all is allowed."""
    try:
        reader = read(data)
    except ContainerError as error:
        assert str(error).startswith("x.vq: ")
        assert "\n" not in str(error)
        return None
    chunks = list(reader)
    right = set()
    for chunk in chunks:
        assert (chunk.codes is None) == (chunk.problem is not None)
        if chunk.codes is not None:
            assert same(chunk.codes, TINY_CODES[chunk.index]), "other codes without a word"
            right.add(chunk.index)
    reported = reader.problems or any(chunk.problem for chunk in chunks)
    assert reported or (len(right) == 2 and reader.n_samples == TINY_SAMPLES and reader.header == TINY)
    assert reader.has_trailer != bool(reader.problems)
    return right


@pytest.mark.parametrize("mask", [0xFF, 0x55, *(1 << bit for bit in range(8))])
def test_every_flipped_byte_is_an_error_a_report_or_harmless(mask):
    first, second = (HEADER_SIZE + len(bytes.fromhex(TINY_CHUNKS[0])), len(GOLDEN) - len(bytes.fromhex(TINY_TRAILER)))
    for place in range(len(GOLDEN)):
        data = bytearray(GOLDEN)
        data[place] ^= mask
        expected = None if place < HEADER_SIZE else {1} if place < first else {0} if place < second else {0, 1}
        assert outcome_is_honest(bytes(data)) == expected, f"byte {place}"


@pytest.mark.parametrize("mask", [0xFF, 0x01, 0x80])
def test_every_flipped_byte_is_reported_without_a_trailer_too(mask):
    chunk_0 = len(bytes.fromhex(TINY_CHUNKS[0]))
    data = GOLDEN[: -len(bytes.fromhex(TINY_TRAILER))]
    for place in range(HEADER_SIZE, len(data)):
        damaged = bytearray(data)
        damaged[place] ^= mask
        assert outcome_is_honest(bytes(damaged)) == ({1} if place < HEADER_SIZE + chunk_0 else {0}), f"byte {place}"


def test_every_truncation_is_reported_and_keeps_the_chunks_before_the_cut():
    ends = np.cumsum([HEADER_SIZE] + [len(bytes.fromhex(chunk)) for chunk in TINY_CHUNKS])
    for length in range(len(GOLDEN)):
        expected = set(range(np.searchsorted(ends, length, side="right") - 1)) if length >= HEADER_SIZE else None
        assert outcome_is_honest(GOLDEN[:length]) == expected, f"{length} bytes"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOLDEN)), st.integers(0, 6), st.binary(max_size=6)), min_size=1, max_size=4)
)
def test_bytes_cut_out_and_put_in_are_errors_reports_or_harmless(edits):
    data = GOLDEN
    for place, removed, added in edits:
        data = data[:place] + added + data[place + removed :]
    outcome_is_honest(data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_after_a_header_are_read_without_an_exception(noise):
    reader = read(GOLDEN[:HEADER_SIZE] + noise)
    assert reader.problems or (noise and reader.has_trailer)
    list(reader)


def test_a_scan_finds_the_chunks_after_a_gap_and_guesses_the_length():
    chunks = random_chunks(SPEECH, 2600)
    data = written(SPEECH, chunks, samples_for(SPEECH, 2600))
    start, size = len(SPEECH.to_bytes()), 948
    hole = slice(start + 2 * size + 100, start + 5 * size + 3)
    zeroed = data[: hole.start] + bytes(hole.stop - hole.start) + data[hole.stop : -1]
    removed = data[: hole.start] + data[hole.stop :]
    for damaged in (zeroed, removed):
        reader = read(damaged)
        assert not reader.has_trailer
        assert "the trailer is missing or damaged" in reader.problems[0]
        assert (reader.n_chunks, reader.n_samples) == (11, 2600 * 882)
        lost = [chunk.index for chunk in reader if chunk.problem]
        assert lost == [2, 3, 4, 5]
        assert "not found" in reader.chunk(3).problem
        assert all(same(chunk.codes, chunks[chunk.index]) for chunk in reader if chunk.index not in lost)


def test_a_damaged_size_loses_one_chunk_where_the_index_is_right():
    chunks = random_chunks(SPEECH, 1000)
    data = bytearray(written(SPEECH, chunks, samples_for(SPEECH, 1000)))
    second = len(SPEECH.to_bytes()) + 948
    assert data[second : second + 2] == b"\xc0\x01"
    data[second + 2] ^= 0x7F
    reader = read(bytes(data))
    assert [bool(chunk.problem) for chunk in reader] == [False, True, False, False]
    assert not reader.problems
    assert "checksum" in reader.chunk(1).problem
    assert reader.time_range(1) == (5, 10)


def test_a_chunk_found_twice_is_read_once():
    first, second = map(bytes.fromhex, TINY_CHUNKS)
    reader = read(GOLDEN[:HEADER_SIZE] + first + first + second)
    assert [same(chunk.codes, TINY_CODES[chunk.index]) for chunk in reader] == [True, True]
    assert reader.problems


def test_nothing_follows_a_short_chunk():
    full, short = map(bytes.fromhex, TINY_CHUNKS)
    third = sealed(full[:1] + b"\x02" + full[2:-4])
    for rest in (b"", trailer(bytes.fromhex("b057 20 02 01"))):  # 11184 samples take 13 frames; sizes 16, 17, 16
        reader = read(GOLDEN[:HEADER_SIZE] + full + short + third + rest)
        assert not reader.has_trailer
        assert reader.n_chunks == 2
        assert f"the last {16 + len(rest)} bytes hold no readable chunk" in reader.problems
    three = trailer(bytes.fromhex("ac52 20 02 01"))  # 10540 samples take 12 frames
    reader = read(GOLDEN[:HEADER_SIZE] + full + short + third + three)
    assert reader.has_trailer
    assert [bool(chunk.problem) for chunk in reader] == [False, True, False]
    assert "count of frames is 2, expected 4" in reader.chunk(1).problem


class Counting(io.BytesIO):
    """Counts the bytes read."""

    total = 0

    def read(self, size=-1):
        data = super().read(size)
        self.total += len(data)
        return data


def test_a_scan_of_false_starts_takes_time_in_proportion_to_the_file():
    wide = SoundHeader("0" * 12, 16000, 16000, 320, 2**20, 1, (Stream(65536),))
    for repeats in (8000, 16000):
        # Each of these five bytes asks for a payload of 16 KiB: checked one by one, 3277 bytes would be read for each.
        file = Counting(wide.to_bytes() + b"\xc0\x00\x80\x80\x01" * repeats)
        assert Reader(file, "x.vq").n_chunks == 0
        assert file.total < 80 * len(file.getvalue())
