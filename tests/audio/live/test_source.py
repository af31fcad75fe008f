"""Sound that is still arriving: the same samples and codes as from a file, at once."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from feeding import Feeder, heard_in_windows, sized
from sounds import RATE, encoded, tones, whole
from tools import reader, synthetic, tiny_codec

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.live.source import PipeSource, RawFormat, open_pipe
from vqaudio.codec.options import CodingOptions
from vqaudio.errors import AudioError
from vqaudio.files.pipe import ENDLESS, Pipe

FORMATS = [
    (format, subtype, endian)
    for format, endians in {
        "WAV": ("LITTLE", "BIG"),
        "WAVEX": ("FILE",),
        "RF64": ("FILE",),
        "W64": ("FILE",),
        "AU": ("BIG", "LITTLE"),
        "AIFF": ("BIG", "LITTLE"),
    }.items()
    for subtype in ("PCM_16", "PCM_S8", "PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
    for endian in endians
    if soundfile.check_format(format, subtype, endian)
]


@contextmanager
def piped(data: bytes, raw: RawFormat | None = None) -> Iterator[PipeSource | FileSource]:
    """The sound in a pipe through which ``data`` came."""
    feeder = Feeder()
    with Pipe(feeder.path) as pipe:
        feeder.write(data)
        threading.Thread(target=feeder.end).start()
        with open_pipe(pipe, raw) as sound:
            yield sound
        pipe.read(1 << 30)
    feeder.settle()
    os.close(feeder._near)


@pytest.mark.parametrize(("format", "subtype", "endian"), FORMATS)
def test_a_sound_through_a_pipe_equals_the_file_to_the_bit(format, subtype, endian):
    file = io.BytesIO()
    soundfile.write(file, tones(2, 5003).T, 44100, format=format, subtype=subtype, endian=endian)
    with piped(file.getvalue()) as sound, FileSource(file) as expected:
        assert isinstance(sound, PipeSource)
        assert (sound.sample_rate, sound.channels, sound.n_samples) == (44100, 2, ENDLESS)
        np.testing.assert_array_equal(heard_in_windows(sound), whole(expected))
        assert not sound.problem


@pytest.mark.parametrize("size", [0, 10**6, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF - 36, 0xFFFFFFFF])
def test_a_size_that_nobody_knew_is_no_size(size):
    data = encoded(tones(1, 5000))
    with piped(sized(data, size)) as sound, FileSource(io.BytesIO(data)) as expected:
        np.testing.assert_array_equal(heard_in_windows(sound), whole(expected))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_U8", "FLOAT"])
def test_what_the_largest_size_of_a_wav_does_not_reach_is_heard(subtype, monkeypatch):
    """As if 4000 were the largest number that a size could be."""
    monkeypatch.setattr("vqaudio.audio.live.header._ENDLESS", 4000)
    data = encoded(tones(1, 50_000), subtype=subtype)
    with piped(sized(data, 4000)) as sound, FileSource(io.BytesIO(data)) as expected:
        np.testing.assert_array_equal(heard_in_windows(sound), whole(expected))


def test_what_follows_the_samples_is_no_sound():
    data = sized(encoded(tones(1, 5000)), 4000)
    with piped(data) as sound:
        assert heard_in_windows(sound).shape == (1, 2000)
        assert not sound.problems


def test_what_a_pipe_lacks_of_what_its_header_announces_is_told():
    data = encoded(tones(1, 5000))
    with piped(data[:-2000]) as sound:
        assert not sound.problems  # it goes on, for all that is known
        assert heard_in_windows(sound).shape == (1, 4000)
        sentence = f"{sound.name}: ends at 0.250 s, 0.062 s (1000 samples) before its header says"
        assert sound.problems == (sentence,)
    with piped(data + data) as sound:
        assert heard_in_windows(sound).shape == (1, 5000)
        assert sound.problems == (
            f"{sound.name}: more sound comes behind the first, which is not read: save it as a file first",
        )


@pytest.mark.parametrize(
    ("subtype", "dtype"), [("PCM_16", "<i2"), ("PCM_32", "<i4"), ("PCM_S8", "i1"), ("FLOAT", "<f4"), ("DOUBLE", "<f8")]
)
def test_samples_without_a_header(subtype, dtype):
    wav = tones(3, 4001)
    full = 1.0 if "f" in dtype else 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
    values = (wav * full).astype(dtype)
    with piped(values.T.tobytes(), RawFormat(11025, 3, subtype)) as sound:
        assert (sound.sample_rate, sound.channels) == (11025, 3)
        np.testing.assert_array_equal(heard_in_windows(sound), (values / full).astype(np.float32))


def test_half_a_sample_at_the_end_is_none():
    with piped(np.arange(100, dtype="<i2").tobytes()[:-1], RawFormat(RATE, 2, "PCM_16")) as sound:
        assert heard_in_windows(sound).shape == (2, 49)


@pytest.mark.parametrize(
    ("format", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("WAV", "IMA_ADPCM"), ("W64", "MS_ADPCM")]
)
def test_other_formats_are_read_once_they_are_there(format, subtype):
    data = encoded(tones(1, 5000), format, subtype)
    with piped(data) as sound, FileSource(io.BytesIO(data)) as expected:
        assert isinstance(sound, FileSource)
        np.testing.assert_array_equal(whole(sound), whole(expected))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"no sound at all", "is not a sound file"),
        (encoded(tones(1, 10))[:30], "ends within its header, after 30 bytes"),
        (encoded(tones(1, 10))[:44], "holds no samples"),
        (b"RIFF\xff\xff\xff\xffWAVEjunk\xff\xff\xff\x7f", "its header goes on for more than 16 MiB"),
        (encoded(tones(1, 10)).replace(b"\x10\x00\x00\x00\x01\x00", b"\x10\x00\x00\x00\x77\x66"), "header cannot be"),
    ],
)
def test_a_pipe_without_sound(data, message):
    with pytest.raises(AudioError, match=message), piped(data):
        pass


def test_what_came_before_a_bad_sample_is_not_lost():
    wav = tones(2, 9000)
    wav[1, 7000] = np.nan
    with piped(encoded(wav, subtype="FLOAT")) as sound:
        np.testing.assert_array_equal(heard_in_windows(sound), wav[:, :7000])
        assert "channel 2 of 2 holds nan at 0.438 s" in sound.problem


@pytest.mark.parametrize("words", [("1.5", "1", "PCM_16"), ("16000", "0", "PCM_16"), ("16000", "1", "PCM_17")])
def test_raw_samples_that_there_are_not(words):
    with pytest.raises(AudioError, match="raw samples: "):
        RawFormat.parse(*words)


@pytest.mark.parametrize(
    ("rate", "n_samples", "channels"),
    [
        (RATE, 1, 1),
        (RATE, 320, 2),
        (RATE, 2 * RATE, 1),
        (RATE, 2 * RATE + 1, 1),
        (RATE, 3 * RATE - 1, 2),
        (8000, 5 * 8000, 1),
        (11025, 33_001, 1),
        (22050, 2 * 22050, 2),
        (44100, 777, 1),
        (44100, 4 * 44100 + 9, 2),
        (44101, 100_000, 1),
        (48000, 2 * 48000 + 17, 3),
    ],
)
def test_codes_are_those_of_the_file(rate, n_samples, channels):
    data = encoded(synthetic(n_samples / rate, rate, channels)[:, :n_samples], rate=rate)
    assert soundfile.info(io.BytesIO(data)).frames == n_samples
    from_pipe, from_file = io.BytesIO(), io.BytesIO()
    with piped(sized(data, 0xFFFFFFFF)) as sound:
        tiny_codec().write(sound, from_pipe, options=CodingOptions(chunk_seconds=1.0))
        assert sound.n_samples == n_samples
    with FileSource(io.BytesIO(data)) as sound:
        tiny_codec().write(sound, from_file, options=CodingOptions(chunk_seconds=1.0))
    assert from_pipe.getvalue() == from_file.getvalue()


def test_codes_are_those_of_the_file_where_a_sound_ends_with_a_window():
    codec = tiny_codec()
    for extra in range(-1, 2):
        n_samples = (codec.chunk_frames(1.0) + codec.networks.encoder_context) * codec.hop_length + extra
        wav = tones(1, n_samples)
        from_pipe, from_array = io.BytesIO(), io.BytesIO()
        with piped(encoded(wav, subtype="FLOAT")) as sound:
            codec.write(sound, from_pipe, options=CodingOptions(chunk_seconds=1.0))
        codec.write(ArraySource(wav, RATE), from_array, options=CodingOptions(chunk_seconds=1.0))
        assert from_pipe.getvalue() == from_array.getvalue()


@pytest.mark.parametrize("rate", [RATE, 44100])
def test_a_chunk_is_written_once_it_and_its_context_have_come(rate, feeder):
    """And no more than that: the pipe stays open, and silent."""
    codec = tiny_codec()
    seconds = 1 + codec.networks.encoder_context / codec.frame_rate + (0 if rate == RATE else 0.06)
    samples = (tones(1, round(seconds * rate)) * 32767).astype("<i2").tobytes()
    near, far = os.pipe()

    def compress() -> None:
        with Pipe(feeder.path) as pipe, open_pipe(pipe, RawFormat(rate, 1, "PCM_16")) as sound, open(far, "wb") as file:
            codec.write(sound, file, options=CodingOptions(chunk_seconds=1.0))

    thread = threading.Thread(target=compress)
    thread.start()
    feeder.write(samples)
    with open(near, "rb", buffering=0) as file:
        data = file.read(1 << 16)
        while len(data) < 100:  # the header may come alone
            data += file.read(1 << 16)
        assert reader(data).n_chunks == 1
        feeder.end()
        data += file.readall()
    thread.join()
    assert reader(data).n_samples == len(samples) // 2
