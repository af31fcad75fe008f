"""All the sound of a file: whole files, joined files, and what ends the decoding of either."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import soxr
from sound_files import FFMPEG, KINDS, PCM, SNDFILE, A, B, muxed, read
from sounds import RATE, peak_memory, tones, whole, windows

from vqaudio.audio.decoding.ffmpeg import _floats
from vqaudio.audio.file_source import FileSource
from vqaudio.errors import AudioError, FileError


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_is_read_to_its_end_and_no_further(kind):
    sound, problems = read(KINDS[kind](A))
    assert not problems
    rate = 3 if kind == "webm libopus" else 1  # Opus in WebM has 48 kHz, whatever the rate was
    slack = {"asf wmav2": 2048, "wav adpcm_ima_wav": 2041, "mp4 aac": 16}.get(kind, 24 if "opus" in kind else 0)
    if kind != "wav libmp3lame":  # which does not tell the encoder's delay
        assert abs(sound.shape[1] - rate * 9_000) <= slack
    if kind in PCM or any(lossless in kind.lower() for lossless in ("flac", "alac", "tta", "wavpack")):
        np.testing.assert_allclose(sound, A, atol=2**-15)


@pytest.mark.parametrize("kind", FFMPEG)
def test_windows_in_any_order_equal_the_whole(kind):
    with FileSource(io.BytesIO(KINDS[kind](A))) as source:
        expected = whole(source)
        for start, stop in [(7000, 8000), (100, 900), *windows(source.n_samples, 700, 90)]:
            first, last = max(start, 0), min(stop, source.n_samples)
            np.testing.assert_array_equal(
                source.read(start, stop)[:, first - start : last - start], expected[:, first:last]
            )


@pytest.mark.parametrize("n_samples", [1, 2, 7, 100, 575, 577, 1152, 1153, 2304])
def test_very_short_mp3s(n_samples):
    sound, problems = read(KINDS["MP3 MPEG_LAYER_III"](A[:, :n_samples]))
    assert sound.shape == (1, n_samples)
    assert not problems


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_integers_come_out_exactly(subtype):
    steps = 2 ** (int(subtype[-2:]) - 1)
    numbers = np.random.default_rng(0).integers(-steps, steps, (1, 5000))
    file = io.BytesIO()
    soundfile.write(file, (numbers.T << 32 - int(subtype[-2:])).astype(np.int32), RATE, subtype, format="FLAC")
    np.testing.assert_array_equal(read(file.getvalue())[0] * steps, numbers)


@pytest.mark.parametrize("kind", KINDS)
def test_of_joined_files_all_are_read(kind):
    first, second = KINDS[kind](A), KINDS[kind](B)
    sound, problems = read(first + second + first)
    assert not problems
    np.testing.assert_array_equal(sound, np.concatenate([read(first)[0], read(second)[0], read(first)[0]], axis=1))


@pytest.mark.parametrize("kind", ["WAV PCM_16", "OGG VORBIS", "FLAC PCM_16", "MP3 MPEG_LAYER_III", "mp4 aac"])
def test_joined_files_of_other_rates_and_channels_become_like_the_first(kind):
    stereo = tones(2, 2 * 5_000, seed=3)
    if kind in SNDFILE:
        second = KINDS[kind](stereo, rate=2 * RATE)
    else:
        stereo = stereo[:1]
        second = KINDS[kind](stereo, rate=2 * RATE)
    first = KINDS[kind](A)
    sound, problems = read(first + second)
    assert not problems
    alone = read(second)[0].mean(axis=0)
    expected = soxr.resample(alone, 2 * RATE, RATE, "HQ")
    n_first = read(first)[0].shape[1]
    assert sound.shape == (1, n_first + len(expected))
    np.testing.assert_allclose(sound[0, n_first:], expected, atol=1e-4)
    back, _ = read(second + first)
    assert back.shape == (len(stereo), len(alone) + 2 * n_first)
    np.testing.assert_array_equal(back[0, len(alone) :], back[-1, len(alone) :])


def test_joined_mp3s_with_titles_before_and_behind():
    titles = b"ID3\4\0\0\0\0\1\0" + bytes(118) + b"\xff\xfb\x90\x64Xing" + bytes(2)
    behind = b"TAG" + b"x" * 125
    first, second = (KINDS["MP3 MPEG_LAYER_III"](wav) for wav in (A, B))
    sound, problems = read(titles + first + behind + titles + second + behind)
    assert not problems
    np.testing.assert_array_equal(sound[:, :9_000], read(first)[0])
    assert abs(sound.shape[1] - 14_000) <= 576  # what stands behind may pass for a frame


def test_of_several_tracks_the_ones_not_read_are_told():
    sound, problems = read(muxed("matroska", "flac", A, B))
    assert sound.shape[1] in (9_000, 5_000)
    assert problems == ("x: holds 2 sound tracks, of which number 1 is read",)


def test_nothing_is_printed(capfd):
    """libmpg123, behind libsndfile, writes to standard error by itself."""
    data = KINDS["MP3 MPEG_LAYER_III"](A)
    read(data[: len(data) * 2 // 3])
    read(data + b"\xff\xfb" + bytes(100) + data[100:])
    read(KINDS["wav libmp3lame"](A)[:-200])
    for junk in (b"ID3\4\0\0\0\0\0\0" + b"nonsense" * 100, b"\xff\xfb\x90\x64" + b"nonsense" * 100):
        with pytest.raises(AudioError):
            read(junk)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n" * 3, "is not a sound file"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "is not a sound file"),
        (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x13\x42\x82\x88matroska" + bytes(50), "looks like Matroska or WebM but"),
        (muxed("mp4", "aac", A)[:900], r"looks like MPEG-4 \(M4A, MP4\) but cannot be decoded"),
    ],
)
def test_what_cannot_be_decoded(data, message):
    with pytest.raises(AudioError, match=f"^x: {message}"):
        read(data)


class Failing(io.BytesIO):
    """A file that raises an error beyond some byte."""

    error: BaseException | None = None

    def readinto(self, buffer: Any) -> int:
        if self.error is not None and self.tell() + len(buffer) > 3000:
            raise self.error
        return super().readinto(buffer)


@pytest.mark.parametrize("kind", ["WAV PCM_16", "OGG VORBIS", "MP3 MPEG_LAYER_III", "mp4 aac"])
def test_errors_and_interruptions_come_through_the_decoder(kind):
    data = KINDS[kind](tones(1, 90_000))
    file = Failing(data)
    with FileSource(file, "x") as source:
        file.error = OSError(5, "Input/output error")
        with pytest.raises(FileError, match=r"^x: cannot be read past .*Input/output error\); see whether"):
            whole(source)
        file.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            source.read(50_000, 90_000)
        file.error = None
        np.testing.assert_array_equal(whole(source), read(data)[0])
    file.error = OSError(5, "Input/output error")
    if kind != "WAV PCM_16":  # which is not read to its end to be counted
        with pytest.raises(FileError, match=r"^x: cannot be read \(Input/output error\)"):
            FileSource(file, "x")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["MP3 MPEG_LAYER_III", "mp4 aac", "OGG VORBIS"])
def test_memory_does_not_grow_with_duration(kind):
    def peak(seconds: int) -> int:
        return peak_memory(KINDS[kind](np.tile(tones(1, RATE), seconds)))

    assert peak(60) < 1.2 * peak(8)


def test_frames_of_many_channels_have_those_channels_alone():
    """Of more than eight, PyAV lists planes until it meets one that is not there, wherever that may be."""
    sent = np.arange(16 * 1024, dtype=np.float32).reshape(16, 1024)
    frame = av.AudioFrame(format="fltp", layout="hexadecagonal", samples=1024)
    for plane, channel in zip(frame.planes, sent, strict=False):
        plane.update(channel.tobytes())
    np.testing.assert_array_equal(_floats(frame), sent.T)
