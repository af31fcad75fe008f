"""The API: exact lengths, round trips, rates, every kind of damage, and clear errors."""

from __future__ import annotations

import io
import tracemalloc
from zlib import crc32

import numpy as np
import pytest
import torch
from tiny_models import tiny_model
from tools import GOLDEN, MODEL, codec_of, heard, reader, synthetic, tiny_codec, untied, wav_bytes, whole

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import FileSource
from vqaudio.audio.resampling import resample
from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.codec.opened import open_vq
from vqaudio.codec.options import CodingOptions
from vqaudio.container import SoundHeader, Writer
from vqaudio.errors import AudioError, ContainerError, ModelError, RateError, VqaudioError
from vqaudio.model.bottleneck import Identity

RATE = 16000
RATES = (8000, 11025, 16000, 44100, 48000)
BOUNDARIES = (1, 2, 3, 319, 320, 321, 640, 1599, 4999)
SEAM = 1e-4


@pytest.fixture
def codec() -> Codec:
    return tiny_codec()


# ----------------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("rate", RATES)
def test_lengths_rates_and_channels_come_back(codec, rate):
    wav = synthetic(5000 / rate, rate, channels=3)
    for number, n_samples in enumerate(BOUNDARIES):
        channels = number % 3 + 1
        decoded, found_rate = codec.decompress(codec.compress(wav[:channels, :n_samples], rate))
        assert decoded.shape == (channels, n_samples)
        assert found_rate == rate
        assert decoded.dtype == np.float32
        assert np.isfinite(decoded).all()


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_every_length_up_to_5000_samples(codec, rate):
    wav = np.repeat(synthetic(5000 / rate, rate), 3, axis=0)  # equal channels are quick
    for n_samples in range(1, 5001):
        channels = n_samples % 3 + 1
        file = io.BytesIO()
        codec.write(ArraySource(wav[:channels, :n_samples], rate), file, options=CodingOptions(chunk_seconds=0.3))
        sound = codec.open(open_vq(file, name="x.vq"))
        assert (whole(sound).shape, sound.sample_rate) == ((channels, n_samples), rate)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_sound_lasts_as_long_as_before_at_any_rate(codec, rate):
    """A pause stays where it was: nothing is shifted by resampling or context."""
    wav = synthetic(3, rate)
    wav[:, rate : 2 * rate] = 0
    codes = codec.encode(wav, rate)
    quiet = np.array(codec.silence)[:, None]
    in_pause = (np.stack(codes.streams)[:, 0] == quiet).all(axis=0)
    frames = np.flatnonzero(in_pause)
    assert 50 + codec.model.encoder_context >= frames[0] >= 50
    assert 100 - codec.model.encoder_context - 1 <= frames[-1] < 100


# ------------------------------------------------------------------------------------------------------- round trips


def test_codes_are_the_same_whatever_brings_the_sound(codec):
    wav = synthetic(6, 44100, channels=2)
    codes = codec.encode(wav, 44100)
    assert [stream.shape for stream in codes.streams] == [(2, 302)] * 4
    assert all(stream.dtype == np.int32 for stream in codes.streams)
    data = codec.compress(wav, 44100)
    assert codec.compress(torch.from_numpy(wav), 44100) == data
    file = io.BytesIO()
    with FileSource(io.BytesIO(wav_bytes(wav, 44100))) as sound:
        assert codec.write(sound, file) == len(data)
    assert file.getvalue() == data
    chunks = [chunk.codes for chunk in reader(data)]
    assert all(map(np.array_equal, codes.streams, (np.concatenate(parts, 1) for parts in zip(*chunks, strict=True))))
    decoded, _ = codec.decompress(data)
    np.testing.assert_array_equal(decoded, codec.decode(codes))
    assert decoded.std() > 0.01


@pytest.mark.parametrize("chunk_seconds", [0.5, 1, 2.3, 5, 60])
def test_files_with_other_chunks_hold_the_same_codes_and_sound(codec, chunk_seconds):
    wav = synthetic(8, RATE)
    file = io.BytesIO()
    codec.write(ArraySource(wav, RATE), file, options=CodingOptions(chunk_seconds=chunk_seconds))
    opened = codec.open(open_vq(file, name="x.vq"))
    assert opened.stored.reader.header.chunk_seconds == pytest.approx(chunk_seconds)
    codes = codec.encode(wav, RATE)
    chunks = [chunk.codes for chunk in opened.stored.reader]
    found = [np.concatenate(parts, axis=1) for parts in zip(*chunks, strict=True)]
    assert not untied(codec, ArraySource(wav, RATE), codes.streams, found)
    if all(map(np.array_equal, codes.streams, found)):
        np.testing.assert_allclose(whole(opened), codec.decode(codes), rtol=0, atol=SEAM)


def test_one_dimension_is_one_channel(codec):
    wav = synthetic(0.1, RATE)
    assert codec.compress(wav[0], RATE) == codec.compress(wav, RATE)


def test_fewer_codebooks_are_the_first_of_all(codec):
    wav = synthetic(1, RATE)
    full, two = codec.encode(wav, RATE), codec.encode(wav, RATE, n_codebooks=2)
    assert len(two.streams) == 2
    assert all(map(np.array_equal, two.streams, full.streams))
    np.testing.assert_array_equal(codec.decode(two), codec.decompress(codec.compress(wav, RATE, n_codebooks=2))[0])
    assert not np.array_equal(codec.decode(two), codec.decode(full))
    assert len(codec.compress(wav, RATE, n_codebooks=2)) < 0.7 * len(codec.compress(wav, RATE))


def test_equal_channels_are_stored_once(codec):
    wav = synthetic(5, RATE)
    one, two = codec.compress(wav, RATE), codec.compress(np.concatenate([wav, wav]), RATE)
    other = codec.compress(np.concatenate([wav, -wav]), RATE)
    assert len(two) - len(one) <= 2 < 500 < len(other) - len(one)
    decoded, _ = codec.decompress(two)
    np.testing.assert_array_equal(decoded[0], decoded[1])


@pytest.mark.parametrize(
    "wav",
    [
        np.zeros((1, 5000)),
        np.full((1, 5000), 0.9),
        np.full((2, 5000), -1.0),
        np.sign(synthetic(0.5, RATE)) * 1.5,
        np.full((1, 5000), 1e-30),
        synthetic(0.5, RATE) * 900,
    ],
    ids=["silence", "DC", "full scale", "clipping", "denormal", "far too loud"],
)
def test_odd_sounds_pass(codec, wav):
    decoded, _ = codec.decompress(codec.compress(wav.astype(np.float32), RATE))
    assert decoded.shape == wav.shape
    assert np.isfinite(decoded).all()


def test_silence_is_stored_as_its_codes(codec):
    codes = codec.encode(np.zeros((1, 32000), np.float32), RATE)
    assert [set(stream.flat) for stream in codes.streams] == [{code} for code in codec.silence]


# ------------------------------------------------------------------------------------------------------------- rates


def test_rates(codec):
    assert [codec.kbps(n) for n in (1, 2, 3, 4)] == pytest.approx([0.3, 0.6, 0.9, 1.2])
    assert [codec.codebooks_for(kbps) for kbps in (0.3, 0.59, 0.6, 1.2, 100)] == [1, 1, 2, 4, 4]


# ------------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("number", [0, -1, 5, 99])
def test_impossible_numbers_of_codebooks(codec, number):
    message = f"{number} codebooks asked for, but tiny has 1 to 4"
    for call in (
        lambda: codec.encode(synthetic(0.1, RATE), RATE, n_codebooks=number),
        lambda: codec.compress(synthetic(0.1, RATE), RATE, n_codebooks=number),
        lambda: codec.kbps(number),
    ):
        with pytest.raises(ModelError, match=message):
            call()


def test_a_rate_can_be_asked_for(codec):
    wav = synthetic(10.0, RATE)
    assert codec.compress(wav, RATE, kbps=0.7) == codec.compress(wav, RATE, n_codebooks=2)
    with pytest.raises(ModelError, match="expected one of them"):
        codec.compress(wav, RATE, n_codebooks=2, kbps=0.7)
    with pytest.raises(RateError, match="the smallest file of these"):
        codec.compress(wav, RATE, kbps=0.2)


@pytest.mark.parametrize("kbps", [0.29, 0, -3, float("nan")])
def test_rates_below_the_lowest(codec, kbps):
    with pytest.raises(ModelError, match=r"below the lowest rate of tiny, 0\.3 kb/s"):
        codec.codebooks_for(kbps)


@pytest.mark.parametrize(
    "wav",
    [
        np.zeros((1, 100), np.int16),
        np.full((1, 100), np.nan),
        np.zeros((1, 0)),
        np.zeros((1, 2, 3)),
        np.zeros((500, 2)),
    ],
    ids=["integers", "NaN", "empty", "three axes", "transposed"],
)
def test_arrays_that_are_no_sound(codec, wav):
    for call in (codec.encode, codec.compress):
        with pytest.raises(AudioError):
            call(wav, RATE)


def test_codes_that_are_no_sound(codec):
    codes = codec.encode(synthetic(0.1, RATE), RATE, with_margin=False)
    first = codes.streams[0]
    for streams, n_samples, message in (
        ([], 1600, "0 codebooks asked for"),
        ([first] * 5, 1600, "5 codebooks asked for"),
        ([first + 64], 1600, "do not fit a codebook of 64"),
        ([first - 64], 1600, "do not fit a codebook of 64"),
        ([first], 1601, r"shape \(1, 5\) found, expected \(1, 6\)"),
        ([first, first[:, :4]], 1600, r"shape \(1, 4\) found, expected \(1, 5\)"),
        ([first, np.repeat(first, 2, 0)], 1600, r"shape \(2, 5\) found"),
    ):
        with pytest.raises(ModelError, match=message):
            codec.decode(Codes(streams, RATE, n_samples))


def test_a_plain_autoencoder_cannot_store():
    model = tiny_model()
    model.bottleneck = Identity()
    with pytest.raises(ModelError, match="no tokens"):
        codec_of(model).compress(synthetic(0.1, RATE), RATE)


def test_models_and_devices_that_are_not_there():
    for name in ("no-such-model", "/no/such/file.safetensors"):
        with pytest.raises(ModelError, match="no such model"):
            vqaudio.load(name)
    unusable = ["nonsense", "meta", "cuda:99", ""] + ([] if torch.cuda.is_available() else ["cuda"])
    for device in unusable:
        with pytest.raises(ModelError, match="cannot be used here") as caught:
            vqaudio.load(MODEL, device)
        assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------ damage


def small_file(codec: Codec, rate: int = RATE) -> bytes:
    """Four chunks of half a second, one channel, one codebook."""
    file = io.BytesIO()
    codec.write(ArraySource(synthetic(1.9, rate), rate), file, options=CodingOptions(n_codebooks=1, chunk_seconds=0.5))
    return file.getvalue()


def rounding(rate: int) -> float:
    """How far samples may differ that nothing happened to: soxr works by FFT, whose rounding spreads."""
    return 0.0 if rate == RATE else 1e-6


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max(initial=0))


def outside(codec: Codec, data: bytes, n_samples: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """What decodes of a file, where no damage is reported, and the reports."""
    opened = codec.open(open_vq(io.BytesIO(data), name="x.vq"))
    sound = whole(opened)[:, :n_samples]
    rate = opened.sample_rate
    unharmed = np.ones(n_samples, bool)
    unharmed[sound.shape[1] :] = False
    estimated = bool(opened.stored.reader.problems)
    if estimated and rate != RATE:  # what is resampled at the end follows the length
        unharmed[-round(0.02 * rate) :] = False
    for damage in (one for one in opened.damage if one.chunk is not None):
        unharmed[max(0, round(damage.start * rate)) : round(damage.stop * rate)] = False
    return (
        np.pad(sound, ((0, 0), (0, n_samples - sound.shape[1]))),
        unharmed,
        list(map(str, opened.damage)),
    )


@pytest.mark.parametrize("rate", [RATE, 11025])
def test_no_byte_can_change_unnoticed(codec, rate):
    data = small_file(codec, rate)
    intact, _ = codec.decompress(data)
    outcomes = {"error": 0, "reported": 0}
    step = 1 if rate == RATE else 7
    for position in range(0, len(data), step):
        flipped = bytearray(data)
        flipped[position] ^= 0xFF if position % 2 else 1 << position % 8
        with pytest.raises(VqaudioError):
            codec.decompress(bytes(flipped))
        try:
            sound, unharmed, reports = outside(codec, bytes(flipped), intact.shape[1])
        except VqaudioError:
            outcomes["error"] += 1
            continue
        assert reports
        outcomes["reported"] += 1
        assert differ(sound[:, unharmed], intact[:, unharmed]) <= rounding(rate)
    assert outcomes["error"] >= 25 // step
    assert outcomes["reported"] >= 60 // step


@pytest.mark.parametrize("rate", [RATE, 8000, 44100])
def test_a_corrupt_chunk_is_reported_and_silent(codec, rate):
    data = small_file(codec, rate)
    intact, _ = codec.decompress(data)
    broken = bytearray(data)
    broken[len(data) // 2] ^= 0x10  # in the second chunk or the third
    opened = codec.open(open_vq(io.BytesIO(bytes(broken)), name="x.vq"))
    sound = whole(opened)
    (damage,) = opened.damage
    number = damage.chunk
    start, stop = number / 2 - 0.02, (number + 1) / 2 - 0.02  # the frames begin before the sound
    context = codec.model.decoder_context / codec.frame_rate
    assert damage.start <= start - context
    assert stop + context <= damage.stop
    assert damage.stop - damage.start < 0.5 + 2 * context + 0.05
    filter_reach = 0.02 if rate != RATE else 0
    quiet = slice(round((start + filter_reach) * rate), round((stop - filter_reach) * rate))
    assert np.abs(sound[:, quiet]).max() <= rounding(rate) < 0.01 < np.abs(intact[:, quiet]).max()
    first, last = round(damage.start * rate), round(damage.stop * rate)
    assert differ(sound[:, :first], intact[:, :first]) <= rounding(rate)
    assert differ(sound[:, last:], intact[:, last:]) <= rounding(rate)
    with pytest.raises(ContainerError, match=f"the data is damaged: .*chunk {number} .*decode the rest"):
        codec.decompress(bytes(broken))


def test_a_file_cut_off_anywhere_decodes_up_to_the_cut(codec):
    data = small_file(codec)
    intact, _ = codec.decompress(data)
    lengths = set()
    for size in range(len(data)):
        with pytest.raises(VqaudioError):
            codec.decompress(data[:size])
        try:
            opened = codec.open(open_vq(io.BytesIO(data[:size]), name="x.vq"))
        except ContainerError:
            assert size < 30
            continue
        assert opened.damage
        if opened.n_samples in lengths:
            continue
        lengths.add(opened.n_samples)
        n_heard = min(opened.n_samples, intact.shape[1])
        n_same = max(0, n_heard - codec.model.decoder_context * codec.hop_length)
        if opened.n_samples >= intact.shape[1]:
            n_same = n_heard
        np.testing.assert_array_equal(opened.read(0, n_same), intact[:, :n_same])
    assert lengths == {0, 7360, 15360, 23360, 30400}


def test_another_model_is_refused_by_name(codec):
    data = codec_of(tiny_model()).compress(synthetic(0.1, RATE), RATE)
    with pytest.raises(ModelError, match=f"written by the model 0123456789ab, not by tiny .{codec.fingerprint}"):
        codec.decompress(data)


def test_what_is_no_file_of_ours(codec):
    newer = bytearray(codec.compress(synthetic(0.1, RATE), RATE))
    newer[3] += 1
    for data, message in (
        (b"", "not a .vq file"),
        (b"RIFF" + bytes(100), "not a .vq file"),
        (bytes(newer), "version 4.*update"),
        ((GOLDEN / "table.vq").read_bytes(), "holds a table, not sound"),
    ):
        with pytest.raises(ContainerError, match=message) as caught:
            codec.decompress(data)
        assert "\n" not in str(caught.value)


def forged(codec: Codec, n_chunks: int = 1, **changes: object) -> bytes:
    """A file of noughts with a header that claims what it likes."""
    fields: dict[str, object] = {
        "codec": codec.fingerprint,
        "source_rate": RATE,
        "coded_rate": RATE,
        "hop_length": codec.hop_length,
        "chunk_frames": 250,
        "channels": 1,
        "streams": codec.streams[:1],
    }
    header = SoundHeader(**(fields | changes))  # type: ignore[arg-type]
    file = io.BytesIO()
    writer = Writer(file, header)
    for _ in range(n_chunks):
        writer.write([np.zeros((header.channels, header.chunk_frames), int)])
    writer.close(n_chunks * header.chunk_frames * header.hop_length * header.source_rate // header.coded_rate)
    return file.getvalue()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source_rate": 2**31 - 1}, "sample rate is 2147483647 Hz"),
        ({"source_rate": 1}, "sample rate is 1 Hz"),
        ({"channels": 1024, "chunk_frames": 2000}, "need 655360000 samples in memory"),
        ({"channels": 1024, "source_rate": 96000}, "need 393216000 samples in memory"),
        ({"coded_rate": 8000}, "does not describe the model"),
        ({"hop_length": 160}, "does not describe the model"),
    ],
)
def test_headers_that_no_codec_writes_cost_no_memory(codec, changes, message):
    whole_file = forged(codec, **changes)
    header_size = len(reader(whole_file).header.to_bytes())
    tracemalloc.start()
    with pytest.raises(ContainerError, match=message):
        codec.decompress(whole_file[:header_size] + bytes(100))
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


def test_a_long_sound_that_is_not_there_costs_no_memory(codec):
    data = forged(codec, n_chunks=400)  # 128 MB of samples
    header_size = len(reader(data).header.to_bytes())
    chunks = bytearray(data)
    chunks[header_size + 20] ^= 1
    tracemalloc.start()
    with pytest.raises(ContainerError, match="chunk 0"):
        codec.decompress(bytes(chunks))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_billion_channels_are_refused(codec):
    header = bytearray(forged(codec)[:40])
    cut = 3 + 1 + 6 + 1 + 2 * 3 + 2 + 2  # magic, version, fingerprint, modes, rates, hop_length, chunk_frames
    body = bytes(header[: cut - 1]) + b"\x80\x94\xeb\xdc\x03" + bytes(header[cut + 1 :])
    for end in range(20, len(body)):
        data = body[:end] + crc32(body[:end]).to_bytes(4, "little") + bytes(100)
        with pytest.raises(ContainerError):
            codec.decompress(data)


# ----------------------------------------------------------------------------------------------------- random access


@pytest.mark.parametrize("rate", [RATE, 8000, 44100])
def test_any_part_equals_that_part_of_the_whole(codec, rate):
    file = io.BytesIO()
    codec.write(ArraySource(synthetic(12, rate, channels=2), rate), file)
    sound = whole(codec.open(open_vq(file, name="x.vq")))
    for start, stop in ((0, 1), (4.9, 5.1), (5, 10), (9.999, 12), (11.5, 12), (7.123, 7.456)):
        first, last = round(start * rate), round(stop * rate)
        part = codec.open(open_vq(file, name="x.vq")).read(first, last)
        np.testing.assert_array_equal(part, sound[:, first:last])


def test_a_model_in_memory_is_what_the_codec_uses(codec):
    """The model itself takes batches, and gives gradients."""
    wav = torch.from_numpy(synthetic(0.2, RATE))[None].requires_grad_()
    made = codec.model(wav.repeat(2, 1, 1))
    assert made.waveform.shape == (2, 1, 3200)
    made.waveform.square().sum().backward()
    assert wav.grad is not None
    assert wav.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in codec.model.parameters())


@pytest.mark.parametrize(("format", "subtype"), [("WAV", "PCM_24"), ("FLAC", "PCM_24"), ("OGG", "VORBIS")])
def test_files_are_coded_as_the_samples_they_hold(codec, format, subtype):
    data = wav_bytes(synthetic(0.5, 22050), 22050, format, subtype)
    samples, rate = heard(io.BytesIO(data))
    file = io.BytesIO()
    with FileSource(io.BytesIO(data)) as sound:
        codec.write(sound, file)
    found = open_vq(file).reader.chunk(0).codes
    expected = codec.encode(samples, rate).streams
    assert not untied(codec, resample(ArraySource(samples, rate), RATE), expected, found)
