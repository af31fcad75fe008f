"""Sound from files and arrays."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from sounds import RATE, encoded, peak_memory, run_in_pipes, tones, whole, windows

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import FileSource
from vqaudio.errors import AudioError, FileError

LOSSLESS = [("WAV", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")]
LOSSLESS += [("RF64", "PCM_16"), ("W64", "PCM_24"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16")]
LOSSY = [
    pair for pair in (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")) if soundfile.check_format(*pair)
]


# ------------------------------------------------------------------------------------------------------ file sources


@pytest.mark.parametrize(("format", "subtype"), LOSSLESS + LOSSY)
def test_windows_of_a_file_equal_the_whole_without_seeking(format, subtype, monkeypatch):
    data = encoded(tones(2, 20_011), format, subtype)
    expected = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0].T
    with FileSource(io.BytesIO(data)) as source:
        np.testing.assert_allclose(whole(source), expected, rtol=0, atol=1e-5)  # decoders of MP3 differ that much
        expected = whole(source)
    with FileSource(io.BytesIO(data)) as source:
        assert (source.sample_rate, source.channels, source.n_samples) == (RATE, 2, 20_011)
        seeks = []
        monkeypatch.setattr(soundfile.SoundFile, "seek", lambda *arguments: seeks.append(arguments))
        for start, stop in windows(source.n_samples, 1234, 300):
            first, last = max(start, 0), min(stop, source.n_samples)
            window = source.read(start, stop)
            assert window.dtype == np.float32
            assert window.shape == (2, stop - start)
            np.testing.assert_array_equal(window[:, first - start : last - start], expected[:, first:last])
            assert not window[:, : first - start].any()
            assert not window[:, last - start :].any()
        assert not seeks


@pytest.mark.parametrize(("format", "subtype"), LOSSLESS + LOSSY)
def test_windows_in_any_order_equal_the_whole(format, subtype):
    data = encoded(tones(1, 90_000), format, subtype)
    with FileSource(io.BytesIO(data)) as source:
        expected = whole(source)
    with FileSource(io.BytesIO(data)) as source:
        for start, stop in ((80_000, 85_000), (100, 5_000), (70_000, 70_001), (40_000, 40_000), (0, 90_000)):
            np.testing.assert_array_equal(source.read(start, stop), expected[:, start:stop])


def test_a_window_returned_is_the_callers_own():
    with FileSource(io.BytesIO(encoded(tones(1, 1000)))) as source:
        expected = source.read(0, 500).copy()
        source.read(0, 500)[:] = 7
        np.testing.assert_array_equal(source.read(0, 500), expected)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 7])
@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_very_short_files(n_samples, format, tmp_path):
    wav = tones(3, n_samples)
    (tmp_path / "a").write_bytes(encoded(wav, format))
    with FileSource(tmp_path / "a") as source:
        np.testing.assert_allclose(whole(source), wav, atol=2**-15)


def test_memory_does_not_grow_with_duration():
    def peak(seconds: int) -> int:
        return peak_memory(encoded(np.zeros((1, seconds * RATE), np.float32)))

    assert peak(200) < 1.1 * peak(10)


def test_a_cut_off_wav_ends_at_the_cut():
    wav = tones(1, 5000)
    with FileSource(io.BytesIO(encoded(wav)[:-4000])) as source:
        assert source.n_samples == 3000
        np.testing.assert_allclose(whole(source), wav[:, :3000], atol=2**-15)


def test_a_wav_written_to_a_pipe_has_no_length_yet_is_read():
    data = bytearray(encoded(tones(1, 5000)))
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff\xff\xff\xff"
    with FileSource(io.BytesIO(bytes(data))) as source:
        assert source.n_samples == 5000


def flac_announcing(n_samples: int, wav: np.ndarray) -> io.BytesIO:
    data = bytearray(encoded(wav, "FLAC"))
    data[21] = data[21] & 0xF0 | n_samples >> 32  # STREAMINFO: 36 bits of length from the middle of byte 21
    data[22:26] = struct.pack(">I", n_samples & 0xFFFFFFFF)
    return io.BytesIO(bytes(data))


def test_a_flac_without_length_is_counted():
    wav = tones(1, 150_000)
    with FileSource(flac_announcing(0, wav)) as source:
        assert source.n_samples == 150_000
        np.testing.assert_allclose(whole(source), wav, atol=2**-15)


def test_a_header_that_promises_too_much_is_neither_believed_nor_passed_over():
    wav = tones(1, 5000)
    with FileSource(flac_announcing(6000, wav), "song.flac") as source:
        assert source.n_samples == 5000
        np.testing.assert_allclose(whole(source), wav, atol=2**-15)
        sentence = "song.flac: ends at 0.312 s, 0.062 s (1000 samples) before its header says: it is cut off or damaged"
        assert source.problems == (sentence,)


@pytest.mark.parametrize(("format", "subtype"), [("FLAC", "PCM_16"), *LOSSY])
def test_of_a_file_that_was_cut_off_there_is_what_it_holds(format, subtype):
    data = encoded(tones(1, 50_000), format, subtype)
    with FileSource(io.BytesIO(data)) as source:
        expected = whole(source)
        assert not source.problems
    with FileSource(io.BytesIO(data[: len(data) * 4 // 5]), "song") as source:
        assert 15_000 < source.n_samples < 41_000
        np.testing.assert_array_equal(whole(source)[:, :-1200], expected[:, : source.n_samples - 1200])
        assert len(source.problems) == 1
        assert source.problems[0].startswith("song: ")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.wav", b"", "is empty"),
        ("notes.wav", b"Dear diary, today " * 100, "not a sound file.*ffmpeg -i .*notes.wav .*notes-converted.wav"),
        ("notes.vox", b"Dear diary, today " * 100, "not a sound file"),
        ("notes.raw", b"Dear diary, today " * 100, "not a sound file"),
        ("talk.m4a", b"\0\0\0\x20ftypM4A " + bytes(500), "MPEG-4.*ffmpeg -i .*talk.m4a .*talk.wav"),
        ("talk.wma", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(500), "Windows Media.*ffmpeg"),
        ("talk.aac", b"\xff\xf1\x50\x80" + bytes(500), "AAC.*ffmpeg"),
        ("zeros.wav", bytes(500), "not a sound file"),
        ("header.wav", encoded(tones(1, 9))[:20], "looks like WAV but cannot be decoded"),
        ("nothing.wav", encoded(tones(2, 0)), "holds no samples"),
    ],
)
def test_what_is_not_sound_gets_one_sentence(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AudioError, match=message) as caught:
        FileSource(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name) + ": ")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileError, match=r"no\.wav: no such file"):
        FileSource(tmp_path / "no.wav")
    with pytest.raises(FileError, match="is a folder"):
        FileSource(tmp_path)


def test_an_absurd_rate_is_refused():
    data = bytearray(encoded(tones(1, 9)))
    data[24:28] = struct.pack("<I", 2**31 - 1)
    with pytest.raises(AudioError, match="sample rate is 2147483647 Hz"):
        FileSource(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_located(value):
    wav = tones(2, 2 * RATE)
    wav[1, 18_000] = value
    with FileSource(io.BytesIO(encoded(wav, "WAV", "FLOAT")), "x.wav") as source:
        source.read(0, 18_000)
        with pytest.raises(AudioError, match=r"x.wav: channel 2 of 2 holds -?(nan|inf) at 1.125 s \(sample 18000,"):
            source.read(17_000, 19_000)
        for start, stop in ((18_001, 20_000), (0, 18_000)):  # and the rest is still what it was
            np.testing.assert_array_equal(source.read(start, stop), wav[:, start:stop])


def test_over_full_scale_passes_and_integers_in_disguise_do_not():
    loud = 5 * tones(1, 100)
    with FileSource(io.BytesIO(encoded(loud, "WAV", "FLOAT"))) as source:
        np.testing.assert_array_equal(whole(source), loud)
    with pytest.raises(AudioError, match="integers stored as floats"):
        ArraySource(loud * 32768, RATE)


def test_a_missing_standard_input_is_called_by_name():
    done = run_in_pipes("from vqaudio.audio.file_source import FileSource; FileSource('-')", "cat")
    assert b"AudioError: standard input: is empty" in done.stderr


# ------------------------------------------------------------------------------------------------------------ arrays


def test_array_source_takes_what_floats_come_in():
    torch = pytest.importorskip("torch")
    wav = tones(2, 50)
    for given in (wav, wav.astype(np.float64), wav.tolist(), torch.from_numpy(wav).requires_grad_()):
        source = ArraySource(given, RATE)
        assert (source.channels, source.n_samples, source.sample_rate) == (2, 50, RATE)
        np.testing.assert_array_equal(whole(source), wav)
    assert ArraySource(wav[0], RATE).channels == 1
    assert ArraySource(torch.zeros(3, 9, dtype=torch.bfloat16), RATE).channels == 3
    assert ArraySource(wav[:, :1], RATE).n_samples == 1
    window = source.read(-3, 60)
    np.testing.assert_array_equal(window, np.pad(wav, ((0, 0), (3, 10))))


@pytest.mark.parametrize(
    ("wav", "message"),
    [
        (np.zeros((1, 9), np.int16), "holds int16, expected floats"),
        (np.zeros((1, 9), complex), "holds complex128"),
        (np.zeros((1, 2, 9)), r"shape \(1, 2, 9\)"),
        (np.float32(1), r"shape \(\)"),
        (np.zeros((1, 0)), "no samples"),
        (np.zeros((0, 9)), "no samples"),
        (np.zeros((900, 2)), "transpose"),
        (np.zeros((2000, 4000), np.float32), "transpose"),
        ([[0.0, 1.0], [0.0]], "rectangular"),
        (np.full((1, 9), 1e300), "channel 1 of 1 holds inf at 0.000 s"),
    ],
)
def test_array_source_refuses(wav, message):
    with pytest.raises(AudioError, match=message):
        ArraySource(wav, RATE)


@pytest.mark.parametrize("rate", [0, -1, 2**31, 44100.5, float("nan")])
def test_array_source_refuses_rates(rate):
    with pytest.raises(AudioError, match="sample rate"):
        ArraySource(np.zeros(9), rate)
