"""The API: exact lengths, round trips, rates, and clear errors."""

from __future__ import annotations

import io

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
from vqaudio.codec.opened import open_vq
from vqaudio.codec.options import CodingOptions
from vqaudio.errors import ContainerError, ModelError, RateError

RATE = 16000
RATES = (8000, 11025, 16000, 44100, 48000)
BOUNDARIES = (1, 2, 3, 319, 320, 321, 640, 1599, 4999)
SEAM = 1e-4


@pytest.fixture
def codec() -> Codec:
    return tiny_codec()


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
    assert 50 + codec.networks.encoder_context >= frames[0] >= 50
    assert 100 - codec.networks.encoder_context - 1 <= frames[-1] < 100


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


def test_a_rate_can_be_asked_for(codec):
    wav = synthetic(10.0, RATE)
    assert codec.compress(wav, RATE, kbps=0.7) == codec.compress(wav, RATE, n_codebooks=2)
    with pytest.raises(ModelError, match="expected one of them"):
        codec.compress(wav, RATE, n_codebooks=2, kbps=0.7)
    with pytest.raises(RateError, match="the smallest file of these"):
        codec.compress(wav, RATE, kbps=0.2)


def test_models_and_devices_that_are_not_there():
    for name in ("no-such-model", "/no/such/file.safetensors"):
        with pytest.raises(ModelError, match="no such model"):
            vqaudio.load(name)
    unusable = ["nonsense", "meta", "cuda:99", ""] + ([] if torch.cuda.is_available() else ["cuda"])
    for device in unusable:
        with pytest.raises(ModelError, match="cannot be used here") as caught:
            vqaudio.load(MODEL, device)
        assert "\n" not in str(caught.value)


def test_another_model_is_refused_by_name(codec):
    data = codec_of(tiny_model()).compress(synthetic(0.1, RATE), RATE)
    with pytest.raises(ModelError, match=f"written by the model 0123456789ab, not by tiny .{codec.fingerprint}"):
        codec.decompress(data)


def test_what_is_no_file_of_ours(codec):
    newer = bytearray(codec.compress(synthetic(0.1, RATE), RATE))
    newer[3] = 5
    for data, message in (
        (b"", "not a .vq file"),
        (b"RIFF" + bytes(100), "not a .vq file"),
        (bytes(newer), "version 5.*update"),
        ((GOLDEN / "table.vq").read_bytes(), "holds a table, not sound"),
    ):
        with pytest.raises(ContainerError, match=message) as caught:
            codec.decompress(data)
        assert "\n" not in str(caught.value)


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
