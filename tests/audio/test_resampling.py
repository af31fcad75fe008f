"""Sound at another rate: the same samples however it is read, and exact lengths."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
import soxr
from sounds import RATE, encoded, tones, whole, windows

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.resampling import Resampled, read_mono, resample
from vqaudio.errors import AudioError, AudioWarning

RATES = [(44100, 16000), (16000, 44100), (8000, 16000), (192000, 16000), (8000, 192000), (11025, 16000), (44101, 16000)]
RATES += [(16000, 44101), (100, 16000)]


@pytest.mark.parametrize(("rate", "new_rate"), RATES)
def test_blocks_join_without_a_seam(rate, new_rate):
    source = ArraySource(tones(1, int(9.3 * rate)), rate)
    resampled = resample(source, new_rate)
    assert resampled.n_samples == -(-source.n_samples * new_rate // rate)
    result = whole(resampled)
    padded = source.read(-rate, source.n_samples + rate)  # soxr's first samples are inexact: let them be zeros
    expected = soxr.resample(padded.T, rate, new_rate, quality="HQ").T[:, new_rate : new_rate + result.shape[1]]
    error = np.abs(result - expected).max() / np.abs(expected).max()
    assert 20 * np.log10(error) < -100  # dB, at the borders (4 s, 8 s) as everywhere


def test_resampling_keeps_time_and_level():
    seconds = np.arange(44100 * 5) / 44100
    wav = (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    result = whole(resample(ArraySource(wav, 44100), RATE))
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(5 * RATE) / RATE)
    inner = slice(500, -500)
    np.testing.assert_allclose(result[0, inner], expected[inner], atol=1e-5)


@pytest.mark.parametrize(("rate", "new_rate"), [(44100, 16000), (16000, 44101)])
def test_any_window_of_a_resampled_source_equals_the_whole_to_the_bit(rate, new_rate):
    source = ArraySource(tones(2, 17 * rate), rate)
    expected = whole(Resampled(source, new_rate))
    border = 4 * new_rate
    for start, stop in (
        (border - 5, border + 5),
        (3 * border, 4 * border + 9),
        (0, 1),
        (7, border),
        (border, 3 * border),
    ):
        np.testing.assert_array_equal(Resampled(source, new_rate).read(start, stop), expected[:, start:stop])
    resampled, pieces = Resampled(source, new_rate), []
    for start, stop in windows(resampled.n_samples, 23_456, 0):
        pieces.append(resampled.read(start, stop))
    joined = np.concatenate(pieces, axis=1)
    np.testing.assert_array_equal(joined[:, : expected.shape[1]], expected)
    assert not joined[:, expected.shape[1] :].any()


@pytest.mark.parametrize(("rate", "new_rate"), RATES)
def test_a_block_made_bit_by_bit_equals_one_made_in_one_go(rate, new_rate):
    source = ArraySource(tones(2, 5 * rate), rate)
    resampled = Resampled(source, new_rate)
    starts = range(0, 4 * new_rate, 1 + new_rate // 10)
    pieces = [resampled.read(start, min(start + starts.step, starts.stop)) for start in starts]
    left, right = resampled._left, resampled._right
    window = source.read(-left, 4 * rate + right)
    once = soxr.resample(np.ascontiguousarray(window.T), rate, new_rate, quality="HQ").T
    skip = left * new_rate // rate
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), once[:, skip : skip + 4 * new_rate])


@pytest.mark.parametrize(("rate", "new_rate"), [pair for pair in RATES if min(pair) > 100])
def test_no_more_is_read_than_the_window_and_the_delay_take(rate, new_rate, monkeypatch):
    """A sound that is still being recorded is not waited for."""
    source = ArraySource(tones(1, 20 * rate), rate)
    stops, read = [], source.read
    monkeypatch.setattr(source, "read", lambda start, stop: stops.append(stop) or read(start, stop))
    resampled = Resampled(source, new_rate)
    for second in (1, 2, 5, 9):
        resampled.read(max(0, (second - 1) * new_rate), second * new_rate)
        assert second * rate < max(stops) < (second + 0.2) * rate


@pytest.mark.parametrize("n_samples", [1, 2, 3, 100, 4999])
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 44101, 192000])
def test_there_and_back_has_exactly_the_original_length(n_samples, rate):
    source = ArraySource(np.full((1, n_samples), 0.5), rate)
    back = resample(resample(source, RATE), rate, n_samples=lambda: n_samples)
    assert back.n_samples == n_samples
    assert whole(back).shape == (1, n_samples)
    if n_samples > 4000:
        assert abs(whole(back)[0, n_samples // 2] - 0.5) < 0.01


def test_resampling_reads_a_file_without_seeking(monkeypatch):
    data = encoded(tones(1, 15 * 44100), rate=44100)
    with FileSource(io.BytesIO(data)) as file, monkeypatch.context() as patch:
        patch.setattr(soundfile.SoundFile, "seek", lambda *_: pytest.fail("seeks"))
        resampled = resample(file, RATE)
        for start, stop in windows(resampled.n_samples, 5 * RATE, 0):
            resampled.read(start, stop)


def test_resample_to_the_same_rate_is_the_source_itself():
    source = ArraySource(np.zeros(9), RATE)
    assert resample(source, RATE) is source
    with pytest.raises(AudioError, match="sample rate"):
        resample(source, 3)


def test_a_file_that_lacks_something_is_read_with_a_warning(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(tones(1, 5000))[:-2000])
    with pytest.warns(
        AudioWarning, match=r"a\.wav: ends at 0\.250 s, 0\.062 s \(1000 samples\) before its header says"
    ):
        mono = read_mono(tmp_path / "a.wav", 8000)
    assert mono.shape == (2000,)


def test_a_recording_is_read_as_mono_at_another_rate(tmp_path):
    left = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, np.zeros_like(left)], axis=1), 44100, "FLOAT")
    clip = read_mono(tmp_path / "stereo.wav", RATE)
    assert clip.dtype == np.float32
    assert clip.shape == (RATE,)
    expected = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE) / 2
    assert np.abs(clip - expected)[1000:-1000].max() < 1e-3
