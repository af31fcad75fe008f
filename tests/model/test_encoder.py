"""Encoders: what a frame sees, to the sample, and where it stands in time."""

from __future__ import annotations

import pytest
import torch
from spans import frames_around_encoder, randomised, touched
from tiny_models import HOP, waveforms

from vqaudio.config.model import SpectralEncoderConfig, StridedEncoderConfig
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.encoder import SpectralEncoder, StridedEncoder, build_encoder
from vqaudio.model.layers import ResidualUnit

SMALL = {"stem_channels": 6, "channels": 8, "expansion": 1}
SPECTRAL = [
    SpectralEncoderConfig(window=64, hop=16, stride=2, stem_units=1, units=2, kernel_size=3, **SMALL),
    SpectralEncoderConfig(window=48, hop=16, stride=3, stem_units=0, units=1, kernel_size=4, **SMALL),
    SpectralEncoderConfig(window=33, hop=8, stride=1, stem_units=2, units=1, kernel_size=5, **SMALL),
    SpectralEncoderConfig(window=64, hop=16, stem_units=1, units=2, kernel_size=4, look_ahead=(3, 0, 1), **SMALL),
    SpectralEncoderConfig(window=64, hop=16, stem_units=1, units=2, kernel_size=3, look_ahead=(0, 0, 0), **SMALL),
]
NARROW = {"base_channels": 3, "max_channels": 6, "expansion": 1}
STRIDED = [
    StridedEncoderConfig(strides=(2, 4, 4), units=1, kernel_size=3, **NARROW),
    StridedEncoderConfig(strides=(5, 3), units=2, kernel_size=4, **NARROW),
    StridedEncoderConfig(strides=(1, 4), units=0, kernel_size=7, **NARROW),
]


@pytest.mark.parametrize("config", SPECTRAL + STRIDED)
def test_span_is_what_a_frame_sees(config: SpectralEncoderConfig | StridedEncoderConfig) -> None:
    encoder = randomised(build_encoder(config, 4))
    frame, frames = frames_around_encoder(encoder)
    seen = touched(encoder, frame, frames)
    first = frame * encoder.hop_length - encoder.span.left
    if isinstance(config, SpectralEncoderConfig):
        first += 1  # a Hann window's first sample is zero
    assert int(seen.min()) == first
    assert int(seen.max()) == (frame + 1) * encoder.hop_length - 1 + encoder.span.right


@pytest.mark.parametrize("config", [SPECTRAL[0], STRIDED[0]])
def test_nothing_outside_the_span_changes_a_bit(config: SpectralEncoderConfig | StridedEncoderConfig) -> None:
    encoder = build_encoder(config, 4)
    frame, frames = frames_around_encoder(encoder)
    sound = waveforms(1, frames * encoder.hop_length)
    other = torch.randn_like(sound)
    seen = slice(frame * encoder.hop_length - encoder.span.left, (frame + 1) * encoder.hop_length + encoder.span.right)
    other[..., seen] = sound[..., seen]
    assert torch.equal(encoder(sound)[..., frame], encoder(other)[..., frame])
    assert not torch.equal(encoder(sound)[..., 0], encoder(other)[..., 0])


def test_units_before_the_learned_stride_look_ahead_in_shorter_frames() -> None:
    """Window 64 over hop 16 (24 to a side), 3 columns of 16, a stride of 2 (1 column); then 1 column of 32 samples."""
    encoder = SpectralEncoder(SPECTRAL[3], 4)
    assert [layer.look_ahead for layer in encoder.layers if isinstance(layer, ResidualUnit)] == [3, 0, 1]
    assert encoder.span.right == 24 + 16 * (3 + 1) + 32 * 1
    assert encoder.span.left == 24 + 16 * (0 + 1) + 32 * (3 + 2)


def test_default_spans_by_hand() -> None:
    """Columns of 160 samples: window 640 (240 to a side), two units of 7 (3 each), stride 2 (1); then four units."""
    spectral = SpectralEncoder(SpectralEncoderConfig(), 64)
    side = 240 + 160 * (2 * 3 + 1) + 320 * 4 * 3
    assert (spectral.hop_length, spectral.span.left, spectral.span.right) == (320, side, side)
    strided = StridedEncoder(StridedEncoderConfig(), 64)
    left = 3 + 2 + 4 * 3 + 4 * 2 + 16 * 3 + 16 * 2 + 64 * 3 + 64 * 2 + 320 * 3
    assert (strided.hop_length, strided.span.left, strided.span.right) == (320, left, left + 64)


def test_shape_and_scale(model: Autoencoder) -> None:
    features = model.encoder(waveforms(3, 20 * HOP))
    assert features.shape == (3, 8, 20)
    assert features.dtype == torch.float32
    assert torch.allclose(features.mean(1), torch.zeros(3, 20), atol=1e-5)
    assert torch.allclose(features.square().mean(1), torch.ones(3, 20), atol=1e-2)


def test_a_batch_does_not_mix(model: Autoencoder) -> None:
    sound = waveforms(3, 12 * HOP)
    alone = torch.cat([model.encoder(item[None]) for item in sound])
    assert torch.allclose(model.encoder(sound), alone, atol=1e-5)


def test_a_broken_frame_is_refused(model: Autoencoder) -> None:
    with pytest.raises(ValueError, match=f"321 samples are no multiple of the hop_length {HOP}"):
        model.encoder(torch.zeros(1, 1, 321))


def test_a_shift_by_one_frame_shifts_the_features(model: Autoencoder) -> None:
    encoder = model.encoder
    room, _ = frames_around_encoder(encoder)
    sound = waveforms(1, (2 * room + 10) * HOP)
    shifted = torch.roll(sound, HOP, dims=-1)
    inside = slice(room, room + 9)
    moved = slice(room + 1, room + 10)
    assert torch.allclose(encoder(shifted)[..., moved], encoder(sound)[..., inside], atol=1e-5)
    half = torch.roll(sound, HOP // 2, dims=-1)
    assert not torch.allclose(encoder(half)[..., moved], encoder(sound)[..., inside], atol=1e-2)
