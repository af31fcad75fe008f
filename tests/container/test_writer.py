"""Round trips, the specification's example, and what writers refuse."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vq_files import (
    EDGED_PARTS,
    GOLDEN,
    SPEECH,
    TINY,
    TINY_CODES,
    TINY_SAMPLES,
    Pipe,
    random_chunks,
    read,
    same,
    samples_for,
    written,
)

from vqaudio.container import SoundHeader, Stream, Writer


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


@pytest.mark.parametrize(("n_chunks", "last"), [(1, 1), (1, 250), (2, 249), (127, 250), (130, 7), (16384, 131)])
def test_overhead_is_at_most_40_bytes_and_12_a_chunk(n_chunks, last):
    n_frames = (n_chunks - 1) * 250 + last
    full, short = ([np.zeros((1, count), int)] * 3 for count in (250, last))
    data = written(SPEECH, [full] * (n_chunks - 1) + [short], samples_for(SPEECH, n_frames))
    packed = (n_chunks - 1) * 938 + -(-last * 30 // 8)
    assert len(data) - packed <= 40 + 12 * n_chunks


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
