"""Headers left unfinished, files cut off and damaged: what is there is read, and what is missing told."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from sound_files import KINDS, PCM, A, read
from sounds import RATE, encoded, tones

from vqaudio.audio.file_source import FileSource
from vqaudio.errors import AudioError


def patched(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF - 36, 0x80000000, 0xFFFFFFFF - 36, 0xFFFFFFFF])
@pytest.mark.parametrize(
    ("kind", "mark", "form"),
    [("WAV PCM_16", b"data", "<I"), ("AIFF PCM_16", b"SSND", ">I"), ("AU PCM_16", b".snd", ">4xI")],
)
def test_a_header_written_before_the_length_was_known(kind, mark, form, size):
    data = KINDS[kind](A)
    place = data.index(mark) + 4 + struct.calcsize(form) - 4
    sound, problems = read(
        patched(patched(data, place, struct.pack(form[0] + "I", size)), 4, bytes(4) if mark == b"data" else b"")
    )
    assert not problems
    np.testing.assert_allclose(sound, A, atol=2**-15)


@pytest.mark.parametrize("size", [0, 2**63 - 1, 2**64 - 1])
@pytest.mark.parametrize(
    ("kind", "mark", "offset", "form"),
    [("RF64 PCM_24", b"ds64", 16, "<Q"), ("W64 PCM_16", b"data\xf3\xac", 16, "<Q"), ("CAF PCM_16", b"data", 4, ">Q")],
)
def test_a_header_of_64_bits_written_before_the_length_was_known(kind, mark, offset, form, size):
    data = KINDS[kind](A)
    if kind.startswith("RF64"):  # libsndfile writes the size in 32 bits where it fits
        place = data.index(b"data") + 4
        data = patched(data, place, b"\xff\xff\xff\xff")
    sound, problems = read(patched(data, data.index(mark) + offset, struct.pack(form, size)))
    assert not problems
    np.testing.assert_allclose(sound, A, atol=2**-15)


def test_a_wav_without_samples_is_empty_whatever_follows():
    empty = encoded(np.zeros((1, 0), np.float32)) + b"LIST\4\0\0\0INFO"
    with pytest.raises(AudioError, match="x: holds no samples"):
        read(empty)


def lame(data: bytes) -> bytes:
    """An MP3 without its first frame, which is silent and tells how many there are."""
    assert b"Info" in data[:200] or b"Xing" in data[:200]
    return data[data.index(data[:2], 4) :]


def test_an_mp3_without_a_length_is_decoded_to_its_end():
    data = KINDS["MP3 MPEG_LAYER_III"](tones(1, 60_000))
    expected = read(data)[0]
    sound, problems = read(lame(data))
    assert not problems
    assert sound.shape[1] % 576 == 0
    delay = 576 + 529  # the encoder's and the decoder's: nothing tells of them any more
    np.testing.assert_allclose(sound[:, delay:][:, 2_000:60_000], expected[:, 2_000:], atol=1e-5)


@pytest.mark.parametrize("kind", PCM)
def test_of_a_header_that_promises_more_the_number_of_missing_samples_is_told(kind):
    data = KINDS[kind](A)
    sample_bytes = {"FLOAT": 4, "PCM_24": 3}.get(kind.split()[1], 2)
    sound, problems = read(data[: -1000 * sample_bytes])
    lost = 9_000 - sound.shape[1]
    assert 0 < lost <= 1000
    np.testing.assert_allclose(sound, A[:, :-lost], atol=2**-15)
    ends, missing = (9_000 - lost) / RATE, lost / RATE
    sentence = (
        f"x: ends at {ends:.3f} s, {missing:.3f} s ({lost} samples) before its header says: it is cut off or damaged"
    )
    assert problems == (sentence,)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(PCM) - {"mp4 aac", "ipod alac", "wv wavpack"}))
def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes_and_that_is_told(kind):
    wav = tones(1, 60_000)
    expected = read(KINDS[kind](wav))[0]
    data = KINDS[kind](wav)
    sound, problems = read(data[: len(data) * 4 // 5])
    n_samples = sound.shape[1]
    assert 0.3 * expected.shape[1] < n_samples < 0.9 * expected.shape[1]
    np.testing.assert_allclose(sound[:, :-1200], expected[:, : n_samples - 1200], atol=1e-6)
    assert len(problems) == 1
    assert problems[0].startswith("x: ")
    assert problems[0].endswith(("cut off", "damaged"))


def test_one_of_joined_files_that_was_cut_off_is_named():
    whole_one, cut = KINDS["OGG VORBIS"](A), KINDS["OGG VORBIS"](tones(1, 60_000))[:-100]
    sound, problems = read(cut + whole_one)
    np.testing.assert_array_equal(sound[:, -9_000:], read(whole_one)[0])
    assert sound.shape[1] > 30_000
    assert problems == ("x: part 1 of 2 lacks its last page: it is cut off",)


def test_pages_that_are_missing_in_the_middle_are_told():
    data = KINDS["OGG VORBIS"](tones(1, 90_000))
    starts = [place for place in range(len(data)) if data.startswith(b"OggS", place)]
    assert len(starts) > 5
    sound, problems = read(data[: starts[3]] + data[starts[4] :])
    assert 0 < sound.shape[1] < 90_000
    assert problems[0].startswith("x: ")
    assert problems[0].endswith("damaged")


@pytest.mark.parametrize("kind", ["FLAC PCM_16", "mp4 aac", "tta tta", "MP3 MPEG_LAYER_III"])
def test_damage_in_the_middle_is_told_or_heard_over(kind):
    data = bytearray(KINDS[kind](tones(1, 60_000)))
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    sound, problems = read(bytes(data))
    assert sound.shape[1] > 20_000
    assert problems or sound.shape[1] == 60_000
    if kind != "MP3 MPEG_LAYER_III":  # has no checksum
        assert problems[0].endswith("damaged")


def test_what_stands_behind_the_sound_is_not_passed_over():
    data = KINDS["WAV PCM_16"](A)
    assert read(data + b"recorded by hand")[1] == ("x: holds 16 bytes behind the end of its sound, which are not read",)
    for harmless in (bytes(512), b"LIST\4\0\0\0INFO", b"ID3\4" + bytes(60), b"TAG" + bytes(125)):
        sound, problems = read(data + harmless)
        assert sound.shape[1] == 9_000
        assert not problems


def test_a_size_of_64_bits_leads_nowhere_that_no_file_can_be(tmp_path):
    """As bytes in memory and as a file, of which each refuses other places."""
    data = bytearray(encoded(tones(1, 800), "W64"))
    assert data[40:44] == b"fmt "
    for size in (1 << 44, (1 << 62) + 5, (1 << 64) - 1):
        data[56:64] = size.to_bytes(8, "little")
        (tmp_path / "x.w64").write_bytes(data)
        for source in (io.BytesIO(data), tmp_path / "x.w64"):
            with pytest.raises(AudioError, match="looks like W64 but cannot be decoded"):
                FileSource(source)
