"""The ``.vq`` bytes: round trips, the specification's example, and every kind of damage."""

from __future__ import annotations

import io
import re
import tracemalloc
from binascii import crc_hqx
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqaudio.container import PLAIN, Level, Reader, SoundHeader, Stream, Writer
from vqaudio.errors import ContainerError

SPEECH = SoundHeader("00112233aabb", 44100, 16000, 320, 250, 1, (Stream(1024),) * 3)
TINY = SoundHeader("00112233aabb", 44100, 16000, 320, 4, 2, (Stream(1000), Stream(5, stride=2)), version=1)
TINY_SAMPLES = 5292  # 1920 samples at 16 kHz: 6 frames of 320, so chunks of 4 and 2 frames
TINY_CODES = [
    [np.array([[1, 2, 3, 999], [1, 2, 3, 999]]), np.array([[4, 0], [4, 0]])],
    [np.array([[512, 0], [7, 8]]), np.array([[3], [2]])],
]
TINY_HEADER = "8a565101 00112233aabb 20 c4d802 807d c002 04 02 01e80701 010502 22923876"
TINY_CHUNKS = "c0 00 07 00 0040200fe780 4287 9dbb5413", "c2 01 02 07 01 800006038108 dfc7 d3af35de"
TINY_TRAILER = "7e ac29 20 02 9558 0a0000"
GOLDEN = bytes.fromhex(TINY_HEADER + "".join(TINY_CHUNKS) + TINY_TRAILER)
HEADER_SIZE = len(bytes.fromhex(TINY_HEADER))

# Explained byte by byte in docs/format.md, "An example".
EDGED = replace(TINY, version=3, margin=320)
EDGED_SAMPLES = 3528  # 1280 samples at 16 kHz, and 320 beyond either end: 6 frames
EDGED_LEVELS = [(PLAIN, PLAIN), (PLAIN, Level(2, -1024))]
EDGED_PARTS = [
    bytes.fromhex("8a565103 00112233aabb 20 c4d802 807d c002 04 02 c002 01e80701 010502 f5830a93"),
    bytes.fromhex(TINY_CHUNKS[0]),
    bytes.fromhex("c6 01 02 0c 0000 04ff0f 01 800006038108 dfc7 c457ab5d"),
    bytes.fromhex("7e c81b 20 0c bd81 0a0000"),
]


class Pipe:
    """A file that can do nothing but write."""

    def __init__(self):
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def written(header, chunks, n_samples):
    pipe = Pipe()
    writer = Writer(pipe, header)
    sizes = [writer.write(codes) for codes in chunks]
    trailer = writer.close(n_samples)
    assert len(header.to_bytes()) + sum(sizes) + trailer == len(pipe.data)
    return bytes(pipe.data)


def random_chunks(header, n_frames, seed=0):
    rng = np.random.default_rng(seed)
    chunks = []
    for start in range(0, n_frames, header.chunk_frames):
        count = min(header.chunk_frames, n_frames - start)
        chunks.append([rng.integers(0, s.alphabet, (header.channels, s.codes_in(count))) for s in header.streams])
    return chunks


def samples_for(header, n_frames):
    return n_frames * header.hop_length * header.source_rate // header.coded_rate


def read(data, name="x.vq"):
    return Reader(io.BytesIO(data), name)


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def sealed(body):
    """A chunk or header with its CRC-32, for forgeries that only their content gives away."""
    return body + crc32(body).to_bytes(4, "little")


def trailer(n_samples_and_index, kind=b"\x7e"):
    body = kind + n_samples_and_index
    return body + crc_hqx(body, 0xFFFF).to_bytes(2, "little") + (len(body) + 5).to_bytes(3, "little")


# ------------------------------------------------------------------------------------------------------- round trips


def test_golden_file_is_written_and_read():
    assert written(TINY, TINY_CODES, TINY_SAMPLES) == GOLDEN
    reader = read(GOLDEN)
    assert reader.header == TINY
    assert (reader.n_samples, reader.n_chunks, reader.has_trailer, reader.problems) == (TINY_SAMPLES, 2, True, [])
    for chunk, codes in zip(reader, TINY_CODES, strict=True):
        assert chunk.problem is None
        assert same(chunk.codes, codes)
        assert all(block.dtype == np.int32 for block in chunk.codes)


def test_the_specification_shows_the_golden_file():
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    example = text.split("## An example")[1].split("```")[1]
    rows = re.findall(r"^((?:[0-9a-f]{2} )+) ", example, re.MULTILINE)
    assert bytes.fromhex("".join(rows)) == b"".join(EDGED_PARTS)


alphabets = st.one_of(st.integers(2, 70), st.sampled_from([1000, 1023, 1024, 1025, 65536]))
streams = st.lists(st.builds(Stream, alphabets, st.integers(1, 7)), max_size=5)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), more=streams, fine=st.integers(2, 2000), channels=st.integers(1, 5), seed=st.integers(0, 99))
def test_codes_come_back_exactly(data, more, fine, channels, seed):
    chunk_frames = data.draw(st.integers(7, 40))
    laid_out = tuple(data.draw(st.permutations([Stream(fine), *more])))
    rate = data.draw(st.sampled_from([8000, 11025, 16000, 44100, 48000, 192000]))
    hop, margin = data.draw(st.integers(1, 999)), data.draw(st.integers(0, 2000))
    header = SoundHeader("0123456789ab", rate, 16000, hop, chunk_frames, channels, laid_out, margin=margin)
    n_samples = data.draw(st.integers(0, samples_for(header, 4 * chunk_frames)))
    n_frames = header.n_frames(n_samples)
    chunks = random_chunks(header, n_frames, seed)
    twin = data.draw(st.integers(0, channels - 1))
    for codes in chunks[::2]:
        for block in codes:
            block[-1] = block[twin]

    reader = read(written(header, chunks, n_samples))
    assert reader.header == header
    assert reader.has_trailer
    assert not reader.problems
    assert reader.n_samples == n_samples
    assert reader.n_chunks == header.n_chunks(n_samples) == len(chunks)
    order = data.draw(st.permutations(range(len(chunks))))
    for index in order:
        chunk = reader.chunk(index)
        assert chunk.problem is None
        assert chunk.n_frames == chunk.codes[laid_out.index(Stream(fine))].shape[1]
        assert same(chunk.codes, chunks[index])
    assert sum(map(reader.n_frames, range(reader.n_chunks))) == n_frames


def test_no_samples_take_no_chunks():
    data = written(SPEECH, [], 0)
    reader = read(data)
    assert (reader.n_chunks, reader.n_samples, reader.problems, list(reader)) == (0, 0, [], [])
    assert len(data) <= 40


def test_identical_channels_are_stored_once():
    def size(channels, equal):
        header = SoundHeader("0" * 12, 16000, 16000, 320, 250, channels, (Stream(1024),) * 3)
        [codes] = random_chunks(header, 250)
        if equal:
            codes = [np.repeat(block[:1], channels, axis=0) for block in codes]
        return len(written(header, [codes], 80000))

    assert size(6, equal=True) == size(1, equal=True) + 5
    assert size(6, equal=False) > 5.5 * size(1, equal=False)


@pytest.mark.parametrize(("n_chunks", "last"), [(1, 1), (1, 250), (2, 249), (127, 250), (130, 7), (16384, 131)])
def test_overhead_is_at_most_40_bytes_and_12_a_chunk(n_chunks, last):
    n_frames = (n_chunks - 1) * 250 + last
    full, short = ([np.zeros((1, count), int)] * 3 for count in (250, last))
    data = written(SPEECH, [full] * (n_chunks - 1) + [short], samples_for(SPEECH, n_frames))
    packed = (n_chunks - 1) * 938 + -(-last * 30 // 8)
    assert len(data) - packed <= 40 + 12 * n_chunks


def test_header_of_a_prior_is_written_and_read():
    header = SoundHeader(
        "00112233aabb", 8000, 8000, 200, 9, 1, (Stream(7),), entropy="prior", prior="ffeeddccbbaa", condition="Zoë"
    )
    data = header.to_bytes()
    assert SoundHeader.from_bytes(data + b"more") == (header, len(data))


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
    writer = Writer(file, CODED, Halving())
    for codes in chunks:
        writer.write([codes])
    writer.close(21 * 200)
    return file.getvalue(), chunks


def test_coded_chunks_come_back_side_by_side_and_fall_back_where_coding_does_not_pay():
    data, chunks = coded_file()
    kinds = [data[at] for at in chunk_starts(data)]
    assert kinds == [0xC0, 0xC1, 0xC2]
    coder = Halving()
    reader = Reader(io.BytesIO(data), "x.vq", lambda header: coder)
    found = list(reader)
    assert [chunk.problem for chunk in found] == [None] * 3
    assert all(same(chunk.codes, [codes]) for chunk, codes in zip(found, chunks, strict=True))
    assert coder.batches == [2]  # both coded chunks at once
    assert same(reader.chunk(2).codes, [chunks[2]])


def chunk_starts(data):
    reader = Reader(io.BytesIO(data), "x.vq")
    return list(reader._offsets)


def test_codes_that_a_coder_got_wrong_are_caught_by_their_digest():
    data, chunks = coded_file()
    wrong = Halving()
    wrong._decoded = lambda chunk: [Halving._decoded(wrong, chunk)[0] ^ 1]
    first, second, third = Reader(io.BytesIO(data), "x.vq", lambda header: wrong)
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
        Writer(Pipe(), TINY, Halving())


def test_times_rates_and_places():
    reader = read(written(SPEECH, random_chunks(SPEECH, 600), 12 * 44100 - 441))
    assert (SPEECH.frame_rate, SPEECH.chunk_seconds, SPEECH.bits_per_second) == (50, 5, 1500)
    assert [reader.time_range(i) for i in range(3)] == [(0, 5), (5, 10), (10, pytest.approx(11.99))]
    assert [reader.chunk_of(sample) for sample in (0, 220499, 220500, 441000, 10**9, -5)] == [0, 0, 1, 2, 2, 0]
    with pytest.raises(IndexError):
        reader.chunk(3)


# -------------------------------------------------------------------------------------------------- margin and levels


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
    assert [reader.chunk_of(sample) for sample in (0, 249 * 882 - 1, 249 * 882, 499 * 882)] == [0, 0, 1, 2]
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


# -------------------------------------------------------------------------------------------------- what writers refuse


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([np.zeros((2, 4), int)], "expected 2 streams"),
        ([np.zeros((2, 4), int), np.zeros((2, 4), int)], r"stream 1: expected integers of shape \(2, 2\)"),
        ([np.zeros((1, 4), int), np.zeros((1, 2), int)], r"stream 0: expected integers of shape \(2, 4\)"),
        ([np.zeros((2, 4)), np.zeros((2, 2), int)], "found float64"),
        ([np.full((2, 4), 1000), np.zeros((2, 2), int)], "stream 0: expected codes from 0 to 999, found 1000"),
        ([np.zeros((2, 4), int), np.full((2, 2), -1)], "stream 1: expected codes from 0 to 4, found -1"),
        ([np.zeros((2, 5), int), np.zeros((2, 3), int)], "1 to 4 frames, found 5"),
        ([np.zeros((2, 0), int), np.zeros((2, 0), int)], "1 to 4 frames, found 0"),
    ],
)
def test_writer_refuses_codes_that_do_not_fit_the_header(codes, message):
    with pytest.raises(ValueError, match=message):
        Writer(Pipe(), TINY).write(codes)


def test_writer_refuses_chunks_and_lengths_out_of_place():
    writer = Writer(Pipe(), TINY)
    for codes in TINY_CODES:
        writer.write(codes)
    with pytest.raises(ValueError, match="no chunk can follow"):
        writer.write(TINY_CODES[0])
    for wrong in (-1, 0, TINY_SAMPLES + 1, TINY_SAMPLES - 900):
        with pytest.raises(ValueError, match=f"6 frames were written, which {wrong} samples do not take"):
            writer.close(wrong)
    writer.close(TINY_SAMPLES)
    with pytest.raises(ValueError, match="already"):
        writer.close(TINY_SAMPLES)

    writer = Writer(Pipe(), TINY)
    writer.write(TINY_CODES[0])
    writer.close(3512)
    with pytest.raises(ValueError, match="no chunk can follow"):
        writer.write(TINY_CODES[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 0}, "channels is 0, expected 1 to 1024"),
        ({"source_rate": 2**31}, "source_rate is 2147483648"),
        ({"streams": ()}, "the number of streams is 0, expected 1 to 64"),
        ({"streams": (Stream(8),) * 65}, "the number of streams is 65"),
        ({"streams": (Stream(8), Stream(9)) * 8}, "groups of equal streams is 16, expected 1 to 15"),
        ({"streams": (Stream(8), Stream(1))}, "the alphabet of stream 1 is 1, expected 2 to 65536"),
        ({"streams": (Stream(8, 2),)}, "smallest stride of all streams is 2, expected 1"),
        ({"chunk_frames": 2**24, "channels": 2}, "the number of codes in a chunk is"),
        ({"codec": "00112233AABB"}, "is not 12 hexadecimal digits"),
        ({"entropy": "magic"}, "expected one of none, context, prior"),
        ({"entropy": "prior"}, "prior fingerprint belongs"),
        ({"condition": "female"}, "needs entropy mode prior"),
        ({"version": 2}, "the format version is 2, expected 1 or 3"),
        ({"margin": 1}, "the margin is 1, expected 0 in format version 1"),
        ({"margin": 2**20 + 1, "version": 3}, "margin is 1048577, expected 0 to 1048576"),
    ],
)
def test_header_out_of_limits_is_refused(change, message):
    fields = {name: getattr(TINY, name) for name in TINY.__dataclass_fields__} | change
    with pytest.raises(ContainerError, match=message):
        SoundHeader(**fields)


# ------------------------------------------------------------------------------------------------------------ damage


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


FULL = bytes.fromhex("c000 07 00 0040200fe780 4287")
FORGERIES = [
    (FULL.replace(b"\xc0\x00", b"\xc0\x01", 1), "number is 1, expected 0"),
    (FULL.replace(b"\xc0", b"\xc1", 1), "starts with byte c1"),
    (FULL.replace(b"\xc0\x00", b"\xc2\x00\x03", 1), "count of frames is 3, expected 4"),
    (FULL.replace(b"\xc0\x00", b"\xc2\x00\x04", 1), "marked short but holds 4"),
    (FULL.replace(b"\xc0\x00", b"\xc0\x80\x00", 1), "longer than it needs"),
    (FULL.replace(b"\xc0\x00", b"\xc0" + b"\xff" * 9, 1), "longer than 9 bytes"),
    (FULL.replace(b"\x00\x07", b"\x00\xff\xff\xff\x7f", 1), "said to have 268435455 bytes, and at most 14"),
    (FULL.replace(b"\x00\x07", b"\x00\x06", 1), "size in bytes is 15, expected 16"),
    (FULL.replace(b"\x07\x00", b"\x08\x00\x00", 1), "codes take 7 bytes, expected 6"),
    (FULL.replace(b"\x07\x00", b"\x07\x01", 1), "codes take 6 bytes, expected 12"),
    (FULL.replace(b"\x07\x00", b"\x07\x02", 1), "channel 1 is said to equal channel 2"),
    (FULL.replace(b"\xe7\x80", b"\xe7\x82", 1), "bits after its last code are not zero"),
    (FULL.replace(b"\xe7\x80", b"\xe7\xc0", 1), "code 6 of an alphabet of 5"),
    (FULL.replace(b"\x0f\xe7", b"\x0f\xe6", 1), "do not match their digest"),
    (FULL.replace(b"\x42\x87", b"\x42\x88", 1), "do not match their digest"),
]


@pytest.mark.parametrize(("body", "message"), FORGERIES)
def test_chunks_that_only_their_checksum_vouches_for_are_refused(body, message):
    chunk = sealed(body)
    index = {16: b"\x20", 17: b"\x22", 19: b"\x26", 24: b"\x30", 25: b"\x32"}[len(chunk)]
    data = GOLDEN[:HEADER_SIZE] + chunk + trailer(bytes.fromhex("b81b") + index)  # 3512 samples take 4 frames
    reader = read(data)
    assert reader.has_trailer
    assert message in reader.chunk(0).problem


def test_a_trailer_of_another_kind_or_with_a_chunk_too_large_is_not_believed():
    chunks = b"".join(map(bytes.fromhex, TINY_CHUNKS))
    index = bytes.fromhex("ac29 20 02")
    assert read(GOLDEN[:HEADER_SIZE] + chunks + trailer(index)).has_trailer
    assert not read(GOLDEN[:HEADER_SIZE] + chunks + trailer(index, kind=b"\x7f")).has_trailer
    assert not read(GOLDEN[:HEADER_SIZE] + bytes(100) + trailer(bytes.fromhex("b81b c801"))).has_trailer


def test_a_channel_cannot_equal_one_that_is_not_stored_itself():
    header = SoundHeader("0" * 12, 8000, 8000, 200, 8, 3, (Stream(256),))
    row = bytes(range(8))
    digest = crc_hqx(np.frombuffer(row * 3, np.uint8).astype("<u2").tobytes(), 0xFFFF).to_bytes(2, "little")
    for equals, problem in ((b"\0\0", None), (b"\0\1", "channel 2 is said to equal channel 1, which is not stored")):
        reader = read(header.to_bytes() + sealed(b"\xc0\x00\x0a" + equals + row + digest))
        assert str(reader.chunk(0).problem).startswith(str(problem))


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


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xac\x29\x20\x04", id="sizes add up to one byte too many"),
        pytest.param(b"\xac\x29\x20", id="one chunk too few"),
        pytest.param(b"\xb2\x37\x20\x02\x21", id="a chunk of no bytes"),
        pytest.param(b"\xb2\x37\x20\x04\x25", id="a chunk of -1 bytes"),
        pytest.param(b"\xb8\x1b\x20\x02", id="samples of one chunk"),
        pytest.param(b"\xd2\x37\x20\x02", id="samples of three chunks"),
        pytest.param(b"\xac\x29\x42", id="one chunk of both sizes"),
    ],
)
def test_a_trailer_that_disagrees_with_the_file_is_not_believed(body):
    reader = read(GOLDEN[:HEADER_SIZE] + b"".join(map(bytes.fromhex, TINY_CHUNKS)) + trailer(body))
    assert not reader.has_trailer
    assert reader.problems
    assert all(same(chunk.codes, TINY_CODES[chunk.index]) for chunk in reader)
    assert reader.n_chunks == 2


# ----------------------------------------------------------------------------------------------- errors and resources


def changed(place, new, size=1):
    header = bytes.fromhex(TINY_HEADER)[:-4]
    return sealed(header[:place] + bytes.fromhex(new) + header[place + size :])


BILLION = "8094ebdc03"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"is not a \.vq file \(starts with nothing"),
        (b"RIFF\x24\x00", r"is not a \.vq file \(starts with 52 49 46, expected 8a 56 51\)"),
        (GOLDEN[:20], "header is damaged: it ends too early"),
        (changed(3, "02"), "holds a table, not sound: decompress it to .csv"),
        (changed(3, "04"), "has format version 4, but this vqaudio reads 1 or 3: update vqaudio"),
        (changed(3, "00"), "has format version 0"),
        (changed(10, "2f"), "uses entropy mode number 15, unknown to this vqaudio: update vqaudio"),
        (GOLDEN[:12] + b"\xd9" + GOLDEN[13:], "checksum does not match"),
        (changed(19, BILLION), "channels is 1000000000, expected 1 to 1024"),
        (changed(11, "00", 3), "source_rate is 0, expected 1 to 2147483647"),
        (changed(16, BILLION, 2), "hop_length is 1000000000, expected 1 to 1048576"),
        (changed(18, BILLION), "chunk_frames is 1000000000, expected 1 to 16777216"),
        (changed(20, BILLION), "number of streams is 1000000001, expected 1 to 64"),
        (changed(21, BILLION, 2), "alphabet of stream 0 is 1000000000, expected 2 to 65536"),
        (changed(18, "8080800808", 2), "codes in a chunk is"),
        (changed(10, "00"), "header is damaged: its checksum"),
        (sealed(changed(10, "22")[:-4] + b"\1\2\3\4\5\6" + b"\x02\xff\xfe"), "condition is not UTF-8"),
        (sealed(changed(10, "22")[:-4] + b"\1\2\3\4\5\6" + b"\x41" + b"a" * 65), "condition in bytes is 65"),
        (sealed(changed(10, "22")[:-4] + b"\1\2\3\4\5\6" + b"\xff\xff\xff\xff\x0f"), "ends too early"),
    ],
)
def test_a_header_that_cannot_be_read_gives_one_clear_line_and_takes_no_memory(data, message):
    tracemalloc.start()
    try:
        with pytest.raises(ContainerError, match=r"^x\.vq: [^\n]*" + message):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_absurd_sizes_after_the_header_take_no_memory():
    largest = SoundHeader("0" * 12, 2**31 - 1, 1, 2**20, 2**24, 1, (Stream(65536),))
    chunk = sealed(b"\xc0\x00" + b"\xff\xff\xff\x0f" + b"\x00\x00")
    forged_index = sealed(b"\xc2" + b"\xff\xff\xff\xff\x7f" + b"\x01\x02\x00\x00" + b"\xb8\x47")
    tracemalloc.start()
    try:
        huge_trailer = trailer(b"\xff" * 8 + b"\x7f" + b"\xfe" * 8 + b"\x7f")
        for rest in (chunk, forged_index, chunk + b"\xff\xff\xff", huge_trailer):
            reader = read(largest.to_bytes() + rest)
            assert not reader.has_trailer
            assert reader.n_chunks == 0
            assert reader.problems
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


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
