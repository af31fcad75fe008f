"""Sound into files: exact samples, the right kind of file, and whole or not there at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from sounds import RATE, encoded, run_in_pipes, tones, whole, windows

from vqaudio.audio import sink as sink_module
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.sink import SoundFileSink, write_array
from vqaudio.errors import AudioError, FileError
from vqaudio.files import atomic_write

SUBTYPES = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 0.0}


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(suffix, subtype) for suffix in (".wav", ".w64") for subtype in SUBTYPES]
    + [(".flac", "PCM_16"), (".flac", "PCM_24")],
)
def test_sink_round_trip(suffix, subtype, tmp_path):
    wav = tones(2, 10_001)
    with SoundFileSink(tmp_path / f"a{suffix}", RATE, channels=2, n_samples=10_001, subtype=subtype) as sink:
        for start, stop in windows(10_001, 4000, 0):
            sink.write(wav[:, start:stop])
    with FileSource(tmp_path / f"a{suffix}") as source:
        np.testing.assert_allclose(whole(source), wav, rtol=0, atol=0.51 * SUBTYPES[subtype])
    assert soundfile.info(tmp_path / f"a{suffix}").subtype == subtype
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_every_16_bit_value_comes_back_and_overload_is_clipped(suffix, tmp_path):
    values = np.arange(-(2**15), 2**15).astype(np.float32)
    loud = np.array([1.0, 1.5, -1.0, -3.0, 1e30], np.float32)
    wav = np.concatenate([values / 2**15, loud])
    write_array(wav, tmp_path / f"a{suffix}", sample_rate=RATE)
    result = soundfile.read(tmp_path / f"a{suffix}", dtype="int16")[0]
    np.testing.assert_array_equal(result[: values.size], values)
    np.testing.assert_array_equal(result[values.size :], [32767, 32767, -32768, -32768, 32767])


@pytest.mark.parametrize("n_samples", [1, 2, 5, 1000, 20_000])
def test_ogg_has_the_exact_length(n_samples, tmp_path):
    with SoundFileSink(tmp_path / "a.ogg", RATE, channels=1, n_samples=n_samples) as sink:
        sink.write(tones(1, n_samples))
    assert soundfile.info(tmp_path / "a.ogg").frames == n_samples


@pytest.mark.parametrize(("n_samples", "magic"), [(1000, b"RIFF"), (2**30 - 2000, b"RIFF"), (2**30, b"RF64")])
def test_rf64_is_chosen_by_the_expected_length(n_samples, magic, tmp_path):
    wav = tones(2, 1000)
    with SoundFileSink(tmp_path / "a.wav", RATE, channels=2, n_samples=n_samples) as sink:
        sink.write(wav)
    assert (tmp_path / "a.wav").read_bytes()[:4] == magic
    with FileSource(tmp_path / "a.wav") as source:
        np.testing.assert_allclose(whole(source), wav, atol=2**-15)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype", "message"),
    [
        ("a.mp3", RATE, 1, None, r"cannot write .mp3; use .wav, .w64, .flac, .ogg"),
        ("a", RATE, 1, None, "a name without suffix"),
        ("a.flac", RATE, 1, "FLOAT", "cannot hold FLOAT; use PCM_16, PCM_24"),
        ("a.ogg", RATE, 1, "PCM_16", "cannot hold PCM_16; use VORBIS"),
        ("a.flac", RATE, 9, None, "1 to 8 channels, not 9; use .wav"),
        ("a.ogg", 384_000, 1, None, "not 384000; use .wav"),
    ],
)
def test_sink_refuses_what_the_file_cannot_hold(name, rate, channels, subtype, message, tmp_path):
    with pytest.raises(AudioError, match=message):
        SoundFileSink(tmp_path / name, rate, channels=channels, n_samples=10, subtype=subtype)
    assert not list(tmp_path.iterdir())


def test_sink_refuses_more_than_announced(tmp_path):
    with (
        pytest.raises(ValueError, match="11 samples"),
        SoundFileSink(tmp_path / "a.wav", RATE, channels=1, n_samples=10) as sink,
    ):
        sink.write(tones(1, 11))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_sink_on_a_full_disk_says_so_and_leaves_nothing(suffix, tmp_path, monkeypatch):
    """The disk takes 1000 bytes more and then nothing."""

    @contextmanager
    def small_disk(path):
        with atomic_write(path) as file:
            yield SmallFile(file)

    class SmallFile:
        def __init__(self, file):
            self.seek, self.tell, self.readinto, self._write, self._room = (
                file.seek, file.tell, file.readinto, file.write, 1000,
            )  # fmt: skip

        def write(self, data):
            self._room -= len(data)
            if self._room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self._write(data)

    monkeypatch.setattr(sink_module, "atomic_write", small_disk)
    with (
        pytest.raises(FileError, match="disk is full"),
        SoundFileSink(tmp_path / f"a{suffix}", RATE, channels=1, n_samples=50_000) as sink,
    ):
        sink.write(tones(1, 50_000))
    assert not list(tmp_path.iterdir())


def test_sink_leaves_the_target_as_it_was_after_a_failure(tmp_path):
    target = tmp_path / "a.wav"
    target.write_bytes(b"old")

    def failing() -> None:
        with SoundFileSink(target, RATE, channels=1, n_samples=10) as sink:
            sink.write(tones(1, 5))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_sink_writes_into_devices_and_pipes(tmp_path):
    with SoundFileSink("/dev/null", RATE, channels=1, n_samples=100) as sink:
        sink.write(tones(1, 100))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with SoundFileSink(pipe, RATE, channels=1, n_samples=100) as sink:
        sink.write(tones(1, 100))
    reader.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    np.testing.assert_allclose(soundfile.read(io.BytesIO(received[0]))[0], tones(1, 100)[0], atol=2**-15)


def test_sound_from_and_to_a_pipe():
    script = """
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.sink import SoundFileSink
with FileSource("-") as source, SoundFileSink(
    "-", source.sample_rate, channels=source.channels, n_samples=source.n_samples
) as sink:
    sink.write(source.read(0, source.n_samples))
"""
    data = encoded(tones(2, 30_000), "FLAC")
    done = run_in_pipes(script, "cat", data)
    assert done.stderr == b""
    expected, got = (soundfile.read(io.BytesIO(each), dtype="int16")[0] for each in (data, done.stdout))
    np.testing.assert_array_equal(got, expected)
