"""Sound files, arrays, resampling and whole-or-nothing output."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import soxr

from vqaudio import audio
from vqaudio.audio import ArraySource, FileSource, Resampled, SoundFileSink, resample
from vqaudio.errors import AudioError, VqaudioError
from vqaudio.files import FileError, atomic_write, open_input, refuse_existing

RATE = 16000
LOSSLESS = [("WAV", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")]
LOSSLESS += [("RF64", "PCM_16"), ("W64", "PCM_24"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("AIFF", "PCM_16")]
LOSSY = [
    pair for pair in (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")) if soundfile.check_format(*pair)
]
SUBTYPES = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 0.0}


def tones(channels: int, n_samples: int, seed: int = 0) -> np.ndarray:
    """A few sines below 3 kHz and some noise, ``(channels, n_samples)`` float32 well below full scale."""
    random = np.random.default_rng(seed)
    time = np.arange(n_samples) / RATE
    sound = 0.02 * random.standard_normal((channels, n_samples))
    for _ in range(3):
        sound += 0.2 * np.sin(
            2 * np.pi * (random.uniform(50, 3000, (channels, 1)) * time + random.random((channels, 1)))
        )
    return sound.astype(np.float32)


def encoded(wav: np.ndarray, format: str = "WAV", subtype: str = "PCM_16", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wav.T, rate, format=format, subtype=subtype)
    return file.getvalue()


def windows(n_samples: int, size: int, context: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n_samples, size):
        yield start - context, start + size + context


def whole(source: audio.Source) -> np.ndarray:
    return source.read(0, source.n_samples)


# ------------------------------------------------------------------------------------------------------ file sources


@pytest.mark.parametrize(("format", "subtype"), LOSSLESS + LOSSY)
def test_windows_of_a_file_equal_the_whole_without_seeking(format, subtype, monkeypatch):
    data = encoded(tones(2, 20_011), format, subtype)
    expected = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0].T
    with FileSource(io.BytesIO(data)) as source:
        np.testing.assert_allclose(whole(source), expected, rtol=0, atol=1e-6)
        expected = whole(source)
    with FileSource(io.BytesIO(data)) as source:
        assert (source.sample_rate, source.channels, source.n_samples) == (RATE, 2, 20_011)
        seeks = []
        monkeypatch.setattr(soundfile.SoundFile, "seek", lambda *arguments: seeks.append(arguments))
        for start, stop in windows(source.n_samples, 1234, 300):
            first, last = max(start, 0), min(stop, source.n_samples)
            window = source.read(start, stop)
            assert window.dtype == np.float32 and window.shape == (2, stop - start)
            np.testing.assert_array_equal(window[:, first - start : last - start], expected[:, first:last])
            assert not window[:, : first - start].any() and not window[:, last - start :].any()
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
        file = io.BytesIO(encoded(np.zeros((1, seconds * RATE), np.float32)))
        tracemalloc.start()
        with FileSource(file) as source:
            for start, stop in windows(source.n_samples, 2 * RATE, 1000):
                source.read(start, stop)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

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


def test_a_header_that_promises_too_much_is_refused_not_padded():
    with FileSource(flac_announcing(6000, tones(1, 5000)), "song.flac") as source:
        source.read(0, 5000)
        with pytest.raises(AudioError, match=r"^song.flac: ends at 0.312 s \(sample 5000\).*6000 samples.*ffmpeg -i"):
            source.read(4000, 6000)


def test_damage_in_the_middle_is_reported():
    data = encoded(tones(1, 100_000), "FLAC")
    with (
        pytest.raises(AudioError, match=r"^song: (cannot be read past|ends at)"),
        FileSource(io.BytesIO(data[: len(data) // 2]), "song") as source,
    ):
        for start, stop in windows(source.n_samples, 4000, 0):
            source.read(start, stop)


@pytest.mark.skipif(("MP3", "MPEG_LAYER_III") not in LOSSY, reason="this libsndfile has no MP3")
def test_an_mp3_is_as_long_as_what_can_be_decoded():
    data = encoded(tones(1, 50_000), "MP3", "MPEG_LAYER_III")
    with FileSource(io.BytesIO(data[: len(data) * 3 // 5])) as source:
        assert 20_000 < source.n_samples < 40_000
        assert whole(source).any()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.wav", b"", "is empty"),
        ("notes.wav", b"Dear diary, today " * 100, "not a sound file.*ffmpeg -i .*notes.wav .*notes-converted.wav"),
        ("notes.vox", b"Dear diary, today " * 100, "not a sound file"),
        ("notes.raw", b"Dear diary, today " * 100, "not a sound file"),
        ("talk.m4a", b"\0\0\0\x20ftypM4A " + bytes(500), "MPEG-4.*ffmpeg -i .*talk.m4a .*talk.wav"),
        ("talk.wma", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(500), "Windows Media.*ffmpeg"),
        ("talk.aac", b"\xff\xf1\x50\x80" + bytes(500), "AAC.*ffmpeg"),
        ("zeros.wav", bytes(500), "not a sound file"),
        ("header.wav", encoded(tones(1, 9))[:20], "not a sound file"),
        ("nothing.wav", encoded(tones(2, 0)), "holds no samples"),
    ],
)
def test_what_is_not_sound_gets_one_sentence(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AudioError, match=message) as caught:
        FileSource(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name) + ": ") and "\n" not in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(FileError, match="no.wav: no such file"):
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


# -------------------------------------------------------------------------------------------------------- resampling

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


@pytest.mark.parametrize("n_samples", [1, 2, 3, 100, 4999])
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 44101, 192000])
def test_there_and_back_has_exactly_the_original_length(n_samples, rate):
    source = ArraySource(np.full((1, n_samples), 0.5), rate)
    back = resample(resample(source, RATE), rate, n_samples)
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
    assert resample(source, RATE, 9) is source
    with pytest.raises(ValueError, match="9 samples, not 8"):
        resample(source, RATE, 8)
    with pytest.raises(AudioError, match="sample rate"):
        resample(source, 3)


# ------------------------------------------------------------------------------------------------------------- sinks


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(suffix, subtype) for suffix in (".wav", ".w64") for subtype in SUBTYPES]
    + [(".flac", "PCM_16"), (".flac", "PCM_24")],
)
def test_sink_round_trip(suffix, subtype, tmp_path):
    wav = tones(2, 10_001)
    with SoundFileSink(tmp_path / f"a{suffix}", RATE, 2, 10_001, subtype) as sink:
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
    wav = np.concatenate([values / 2**15, loud])[None]
    with SoundFileSink(tmp_path / f"a{suffix}", RATE, 1, wav.size) as sink:
        sink.write(wav)
    result = soundfile.read(tmp_path / f"a{suffix}", dtype="int16")[0]
    np.testing.assert_array_equal(result[: values.size], values)
    np.testing.assert_array_equal(result[values.size :], [32767, 32767, -32768, -32768, 32767])


@pytest.mark.parametrize("n_samples", [1, 2, 5, 1000, 20_000])
def test_ogg_has_the_exact_length(n_samples, tmp_path):
    with SoundFileSink(tmp_path / "a.ogg", RATE, 1, n_samples) as sink:
        sink.write(tones(1, n_samples))
    assert soundfile.info(tmp_path / "a.ogg").frames == n_samples


@pytest.mark.parametrize(("n_samples", "magic"), [(1000, b"RIFF"), (2**30 - 2000, b"RIFF"), (2**30, b"RF64")])
def test_rf64_is_chosen_by_the_expected_length(n_samples, magic, tmp_path):
    wav = tones(2, 1000)
    with SoundFileSink(tmp_path / "a.wav", RATE, 2, n_samples) as sink:
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
def test_sink_refuses_what_the_container_cannot_hold(name, rate, channels, subtype, message, tmp_path):
    with pytest.raises(AudioError, match=message):
        SoundFileSink(tmp_path / name, rate, channels, 10, subtype)
    assert not list(tmp_path.iterdir())


def test_sink_refuses_more_than_announced(tmp_path):
    with pytest.raises(ValueError, match="11 samples"), SoundFileSink(tmp_path / "a.wav", RATE, 1, 10) as sink:
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

    monkeypatch.setattr(audio, "atomic_write", small_disk)
    with (
        pytest.raises(FileError, match="disk is full"),
        SoundFileSink(tmp_path / f"a{suffix}", RATE, 1, 50_000) as sink,
    ):
        sink.write(tones(1, 50_000))
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------- whole or nothing


def test_a_failure_leaves_the_target_as_it_was(tmp_path):
    target = tmp_path / "a.wav"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(target) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    with pytest.raises(RuntimeError), SoundFileSink(target, RATE, 1, 10) as sink:
        sink.write(tones(1, 5))
        raise RuntimeError
    assert target.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1
    with atomic_write(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


def test_permissions_follow_the_umask_or_the_file_replaced(tmp_path):
    target = tmp_path / "a"
    old = os.umask(0o027)
    try:
        with atomic_write(target):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    target.chmod(0o604)
    with atomic_write(target):
        pass
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    link.symlink_to(real)
    for content in (b"first", b"second"):  # dangling, then not
        with atomic_write(link) as file:
            file.write(content)
        assert link.is_symlink() and real.read_bytes() == content


def test_devices_and_pipes_are_written_into_not_replaced(tmp_path):
    with atomic_write("/dev/null") as file:
        file.write(b"x")
    with SoundFileSink("/dev/null", RATE, 1, 100) as sink:
        sink.write(tones(1, 100))
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with SoundFileSink(pipe, RATE, 1, 100) as sink:
        sink.write(tones(1, 100))
    reader.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    np.testing.assert_allclose(soundfile.read(io.BytesIO(received[0]))[0], tones(1, 100)[0], atol=2**-15)


def test_output_that_cannot_be_written_gets_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path, message in (
        (tmp_path / "no" / "a.vq", "a.vq: its folder does not exist"),
        (tmp_path / "file" / "a.vq", "a.vq: its folder is a file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(FileError, match=message), atomic_write(path):
            pytest.fail("opened")
    with pytest.raises(FileError, match="/dev/full: the disk is full"), atomic_write("/dev/full") as file:
        file.write(b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="not allowed to write"), atomic_write(tmp_path / "a"):
        pytest.fail("opened")
    tmp_path.chmod(0o700)


def test_errors_about_other_files_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "other").read_bytes()


def test_refuse_existing(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FileError, match="exists already; add --force"):
        refuse_existing(tmp_path / "a", force=False)
    refuse_existing(tmp_path / "a", force=True)
    for path in (tmp_path / "b", "-", "/dev/null"):
        refuse_existing(path, force=False)
    assert issubclass(FileError, VqaudioError)


# ------------------------------------------------------------------------------------------------------------- pipes


def run(script: str, pipe_to: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run Python code with ``cat`` before it and ``pipe_to`` behind it."""
    command = f'cat | "$PYTHON" -c "$SCRIPT" | {pipe_to}'
    environment = {**os.environ, "PYTHON": sys.executable, "SCRIPT": script, "PYTHONPATH": os.getcwd()}
    return subprocess.run(
        ["sh", "-c", command], check=False, input=stdin, capture_output=True, env=environment, timeout=60
    )


def test_sound_from_and_to_a_pipe():
    script = """
from vqaudio.audio import FileSource, SoundFileSink
with FileSource("-") as source, SoundFileSink("-", source.sample_rate, source.channels, source.n_samples) as sink:
    sink.write(source.read(0, source.n_samples))
"""
    data = encoded(tones(2, 30_000), "FLAC")
    done = run(script, "cat", data)
    assert done.stderr == b""
    expected, got = (soundfile.read(io.BytesIO(each), dtype="int16")[0] for each in (data, done.stdout))
    np.testing.assert_array_equal(got, expected)


def test_a_reader_that_stops_early_gets_one_sentence():
    script = """
import sys
from vqaudio.files import FileError, atomic_write
try:
    with atomic_write("-") as file:
        for _ in range(1000):
            file.write(bytes(1000))
except FileError as error:
    print(error, file=sys.stderr)
"""
    done = run(script, "head -c 10 > /dev/null")
    assert done.stderr.decode() == "standard output: the program reading it stopped early; the output is incomplete\n"


def test_a_named_pipe_becomes_an_input_that_can_seek(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"0123456789" * 30_000,))
    writer.start()
    with open_input(pipe) as file:
        assert file.seek(-3, io.SEEK_END) == 299_997 and file.read() == b"789"
    writer.join()


def test_a_missing_standard_input_is_called_by_name():
    done = run("from vqaudio.audio import FileSource; FileSource('-')", "cat")
    assert b"AudioError: standard input: is empty" in done.stderr
