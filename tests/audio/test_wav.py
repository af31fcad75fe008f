"""WAV into a pipe: what comes out equals a file's samples, at once, and every reader can read it."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import RATE, tones

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.sink import SoundFileSink, write_sound
from vqaudio.audio.wav import MOST_BYTES, SAMPLE_BYTES, WavFormat, WavStream, wav_header
from vqaudio.files.pipe import ENDLESS


@pytest.mark.parametrize("subtype", SAMPLE_BYTES)
@pytest.mark.parametrize(("channels", "n_samples"), [(1, 1001), (3, 999)])
@pytest.mark.parametrize("known", [True, False])
def test_samples_are_those_of_a_file(subtype, channels, n_samples, known, tmp_path):
    wav = tones(channels, n_samples)
    with SoundFileSink(tmp_path / "file.wav", RATE, channels=channels, n_samples=n_samples, subtype=subtype) as sink:
        sink.write(wav)
    file = io.BytesIO()
    stream = WavStream(file, WavFormat(RATE, channels, subtype), n_samples=n_samples if known else None)
    for start in range(0, n_samples, 400):
        stream.write(np.clip(wav[:, start : start + 400].T, -1, 1))
    data = file.getvalue()
    assert len(data) >= n_samples * channels * SAMPLE_BYTES[subtype]
    found, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    expected, _ = soundfile.read(tmp_path / "file.wav", dtype="float64", always_2d=True)
    step = 2.0 ** (1 - 8 * SAMPLE_BYTES[subtype])
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if subtype == "FLOAT" else step)
    assert rate == RATE
    assert soundfile.info(io.BytesIO(data)).subtype == subtype


def test_other_readers_read_the_header():
    samples = (tones(2, 500) * 32767).astype("<i2").T.tobytes()
    with wave.open(io.BytesIO(wav_header(WavFormat(11025, 2, "PCM_16"), 500) + samples)) as file:
        assert file.getparams()[:4] == (2, 2, 11025, 500)
        assert file.readframes(500) == samples


def test_a_sound_too_long_for_a_wav_is_an_rf64():
    for n_samples in (MOST_BYTES // 4, MOST_BYTES // 4 + 1, 2**33):
        header = wav_header(WavFormat(48000, 2, "PCM_16"), n_samples)
        file = io.BytesIO(header)
        assert header.startswith(b"RIFF" if n_samples == MOST_BYTES // 4 else b"RF64")

        class Long(io.BytesIO):
            """The header and as many zeros as it says, which are not there."""

            def seek(self, offset: int, whence: int = 0) -> int:
                size = len(header) + n_samples * 4  # noqa: B023 - used up within the loop
                return super().seek(offset if whence < 2 else size + offset, 0 if whence == 2 else whence)

        assert soundfile.info(Long(file.getvalue())).frames == n_samples


def test_what_is_written_into_a_pipe_can_be_heard_at_once():
    near, far = os.pipe()
    with open(near, "rb", buffering=0) as heard, open(far, "wb") as file:
        stream = WavStream(file, WavFormat(RATE, 1, "PCM_16"), n_samples=None)
        stream.write(np.zeros((100, 1), np.float32))
        assert len(heard.read(1000)) == 44 + 200
        stream.close()
        assert wav_header(WavFormat(RATE, 1, "PCM_16"), None).count(b"\xff\xff\xff\xff") == 2


@pytest.mark.parametrize("known", [True, False])
def test_the_header_is_right_in_the_end_where_that_can_be(known, tmp_path):
    """As in ``decompress - - > out.wav``; but what is appended to is never written over."""
    (tmp_path / "before").write_bytes(b"before")
    with open(tmp_path / "before", "r+b") as file:
        file.seek(0, 2)
        stream = WavStream(file, WavFormat(RATE, 1, "PCM_U8"), n_samples=101 if known else None)
        stream.write(np.zeros((101, 1), np.float32))
        stream.close()
        file.write(b"behind")
    written = (tmp_path / "before").read_bytes()
    assert written == b"before" + wav_header(WavFormat(RATE, 1, "PCM_U8"), 101) + b"\x80" * 101 + b"\0behind"
    with open(tmp_path / "before", "ab") as file:
        stream = WavStream(file, WavFormat(RATE, 1, "PCM_U8"), n_samples=None)
        stream.write(np.zeros((101, 1), np.float32))
        stream.close()
    assert (tmp_path / "before").read_bytes() == written + wav_header(
        WavFormat(RATE, 1, "PCM_U8"), None
    ) + b"\x80" * 101 + b"\0"


def test_the_end_of_a_sound_may_be_met_while_it_is_written(tmp_path):
    class Arriving(ArraySource):
        met = ENDLESS

        @property
        def n_samples(self) -> int:
            return self.met

        @n_samples.setter
        def n_samples(self, found: int) -> None:
            self.true = found

        def read(self, start: int, stop: int) -> np.ndarray:
            if stop > self.true:
                self.met = self.true
            return super().read(start, stop)

    wav = tones(1, 10_001)
    path = Path(tmp_path / "fifo.wav")
    os.mkfifo(path)
    with open(os.open(path, os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0) as heard:
        write_sound(Arriving(wav, RATE), path, subtype="FLOAT")
        data = heard.read(1 << 17)
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(data), dtype="float32")[0], wav[0])
