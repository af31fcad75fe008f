"""All the sound of a file, or a word on what is missing: joined, cut off, unfinished and damaged files."""

from __future__ import annotations

import io
import struct
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import soxr
from sounds import RATE, encoded, peak_memory, tones, whole, windows

from vqaudio.audio.decoding.ffmpeg import _floats
from vqaudio.audio.decoding.find import find_links
from vqaudio.audio.file_source import FileSource
from vqaudio.errors import AudioError

A, B = tones(1, 9_000, seed=1), tones(1, 5_000, seed=2)


SAMPLES = {"aac": "fltp", "alac": "s16p", "flac": "s16", "libopus": "flt", "wmav2": "fltp", "tta": "s16"}
SAMPLES |= {"wavpack": "s16p", "libmp3lame": "fltp", "adpcm_ima_wav": "s16p"}


def muxed(format: str, codec: str, *wavs: np.ndarray, rate: int = RATE) -> bytes:
    """Sounds by FFmpeg's encoders, each a track of its own."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        streams = [container.add_stream(codec, rate=rate, layout="mono", format=SAMPLES[codec]) for _ in wavs]
        for stream in streams:
            stream.bit_rate = 64_000
        container.start_encoding()
        for stream, wav in zip(streams, wavs, strict=True):
            integers = SAMPLES[codec].startswith("s16")
            samples = np.round(wav * 32768).astype(np.int16) if integers else wav
            step = stream.codec_context.frame_size or 1024
            for start in range(0, wav.shape[1], step):
                frame = av.AudioFrame.from_ndarray(samples[:, start : start + step].copy(), SAMPLES[codec], "mono")
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return file.getvalue()


SNDFILE = {
    f"{kind} {subtype}": (lambda wav, kind=kind, subtype=subtype, **how: encoded(wav, kind, subtype, **how))
    for kind, subtype in (
        ("WAV", "PCM_16"),
        ("WAVEX", "FLOAT"),
        ("RF64", "PCM_24"),
        ("W64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("CAF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    )
}
FFMPEG = {
    f"{kind} {codec}": (lambda wav, kind=kind, codec=codec, **how: muxed(kind, codec, wav, **how))
    for kind, codec in (
        ("mp4", "aac"),
        ("ipod", "alac"),
        ("matroska", "flac"),
        ("webm", "libopus"),
        ("ogg", "flac"),
        ("asf", "wmav2"),
        ("tta", "tta"),
        ("wv", "wavpack"),
        ("wav", "libmp3lame"),
        ("wav", "adpcm_ima_wav"),
    )
}
KINDS = {**SNDFILE, **FFMPEG}
PCM = [kind for kind in SNDFILE if ("PCM" in kind or "FLOAT" in kind) and "FLAC" not in kind]


def read(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """All samples, and the problems."""
    with FileSource(io.BytesIO(data), "x") as source:
        return whole(source), source.problems


# ------------------------------------------------------------------------------------------------------- whole files


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


# ------------------------------------------------------------------------------------------------------ joined files


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


# -------------------------------------------------------------------------------------------- headers left unfinished


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


# --------------------------------------------------------------------------------------------- cut off and damaged


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


# ------------------------------------------------------------------------------------------------------------ refused


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
        with pytest.raises(AudioError, match=r"^x: cannot be read past .*Input/output error"):
            whole(source)
        file.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            source.read(50_000, 90_000)
        file.error = None
        np.testing.assert_array_equal(whole(source), read(data)[0])
    file.error = OSError(5, "Input/output error")
    if kind != "WAV PCM_16":  # which is not read to its end to be counted
        with pytest.raises(AudioError, match=r"^x: cannot be read \(Input/output error\)"):
            FileSource(file, "x")


@pytest.mark.parametrize(
    "data",
    [
        (b"\xff\xfb\x90\xc4" + bytes(17) + b"Xing" + bytes(7)) * 8192,
        b"fLaC\0\0\0\x22" * 8192,
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0" * 8192,
    ],
)
def test_more_joined_files_than_anybody_joins_are_refused(data):
    with pytest.raises(AudioError, match=r"it is made of more than 4096 files, one behind the other"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfb\x90\x64" + b"ID3\4\0\0\0\0\0\0" * 20_000,
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 20_000,
        b"OggS" * 20_000,
    ],
)
def test_a_file_made_to_be_searched_for_long_is_not(data):
    """Without a bound there would be several seeks for each of its pieces, and reads of more each time."""
    seeks = []

    class Counting(io.BytesIO):
        def seek(self, *where: int) -> int:
            seeks.append(where)
            return super().seek(*where)

    find_links(Counting(data), len(data))
    assert 0 < len(seeks) < 40_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["MP3 MPEG_LAYER_III", "mp4 aac", "OGG VORBIS"])
def test_memory_does_not_grow_with_duration(kind):
    def peak(seconds: int) -> int:
        return peak_memory(KINDS[kind](np.tile(tones(1, RATE), seconds)))

    assert peak(60) < 1.2 * peak(8)


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


def test_frames_of_many_channels_have_those_channels_alone():
    """Of more than eight, PyAV lists planes until it meets one that is not there, wherever that may be."""
    sent = np.arange(16 * 1024, dtype=np.float32).reshape(16, 1024)
    frame = av.AudioFrame(format="fltp", layout="hexadecagonal", samples=1024)
    for plane, channel in zip(frame.planes, sent, strict=False):
        plane.update(channel.tobytes())
    np.testing.assert_array_equal(_floats(frame), sent.T)
