"""Decoders: which latents a frame's samples depend on, and that no input makes them burst."""

from __future__ import annotations

import pytest
import torch
from spans import frames_around_decoder, randomised
from tiny_models import HOP

from vqaudio.config.model import SpectralDecoderConfig, StridedDecoderConfig
from vqaudio.inference.spans import Span, before_upsampling
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.decoder import StridedDecoder, Upsample, build_decoder

SMALL = {"channels": 8, "expansion": 1}
SPECTRAL = [
    (SpectralDecoderConfig(window=128, units=2, kernel_size=3, **SMALL), 32),
    (SpectralDecoderConfig(window=64, units=1, kernel_size=4, **SMALL), 32),
    (SpectralDecoderConfig(window=90, units=1, kernel_size=1, **SMALL), 30),
]
NARROW = {"base_channels": 3, "max_channels": 6, "expansion": 1}
STRIDED = [
    (StridedDecoderConfig(strides=(4, 4, 2), units=1, kernel_size=3, **NARROW), 32),
    (StridedDecoderConfig(strides=(5,), units=3, kernel_size=6, **NARROW), 5),
    (StridedDecoderConfig(strides=(3, 5), units=2, kernel_size=4, **NARROW), 15),
    (StridedDecoderConfig(strides=(1, 2), units=0, kernel_size=7, **NARROW), 2),
    (StridedDecoderConfig(strides=(5, 4, 4, 4), units=1, kernel_size=7, **NARROW), 320),
]


@pytest.mark.parametrize(("config", "hop"), SPECTRAL + STRIDED)
def test_span_is_what_a_frame_depends_on(config: SpectralDecoderConfig | StridedDecoderConfig, hop: int) -> None:
    decoder = randomised(build_decoder(config, 3, hop_length=hop))
    frame, frames = frames_around_decoder(decoder)
    latents = torch.randn(1, 3, frames, dtype=torch.double, requires_grad=True)
    made = decoder(latents)
    assert made.shape == (1, 1, frames * hop)
    assert made.dtype == torch.double
    own = made[0, 0, frame * hop : (frame + 1) * hop]
    (own * torch.randn(hop, dtype=torch.double)).sum().backward()
    seen = latents.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (frame - decoder.span.left, frame + decoder.span.right)


@pytest.mark.parametrize(("config", "hop"), [SPECTRAL[0], STRIDED[0]])
def test_nothing_outside_the_span_changes_a_bit(config: SpectralDecoderConfig | StridedDecoderConfig, hop: int) -> None:
    decoder = build_decoder(config, 3, hop_length=hop)
    frame, frames = frames_around_decoder(decoder)
    latents = torch.randn(1, 3, frames)
    other = torch.randn(1, 3, frames)
    seen = slice(frame - decoder.span.left, frame + decoder.span.right + 1)
    other[..., seen] = latents[..., seen]
    own = slice(frame * hop, (frame + 1) * hop)
    assert torch.equal(decoder(latents)[..., own], decoder(other)[..., own])
    assert not torch.equal(decoder(latents)[..., :hop], decoder(other)[..., :hop])


def test_default_spans_by_hand() -> None:
    """Seven convolutions of 7 (3 to a side each), and windows of four frames that reach two to a side."""
    assert build_decoder(SpectralDecoderConfig(), 64, hop_length=320).span == Span(7 * 3 + 2, 7 * 3 + 2)
    assert StridedDecoder(StridedDecoderConfig(), 64).span == Span(5, 5)


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_upsampling_keeps_its_place(stride: int) -> None:
    """Every reach behind the layer, and the inputs that this takes, by brute force."""
    layer = randomised(Upsample(1, 1, stride=stride))
    x = torch.randn(1, 1, 15, dtype=torch.double, requires_grad=True)
    made = layer(x)
    assert made.shape == (1, 1, 15 * stride)
    for reach in range(2 * stride + 1):
        own = made[0, 0, 7 * stride - reach : 8 * stride + reach].sum()
        (gradient,) = torch.autograd.grad(own, x, retain_graph=True)
        seen = gradient[0, 0].nonzero()[:, 0]
        before = before_upsampling(Span(reach, reach), stride)
        assert (int(seen.min()), int(seen.max())) == (7 - before.left, 7 + before.right)


def test_a_shift_of_the_latents_shifts_the_sound(model: Autoencoder) -> None:
    decoder = model.decoder
    room, _ = frames_around_decoder(decoder)
    latents = torch.randn(1, 8, 2 * room + 6)
    made, shifted = decoder(latents), decoder(torch.roll(latents, 1, dims=-1))
    inside = slice(room * HOP, (room + 5) * HOP)
    moved = slice((room + 1) * HOP, (room + 6) * HOP)
    assert torch.allclose(shifted[..., moved], made[..., inside], atol=1e-6)


def test_the_spectral_head_cannot_overflow(spectral_model: Autoencoder) -> None:
    decoder = spectral_model.decoder
    torch.nn.init.constant_(decoder.head.bias[: decoder.bins], 1e4)
    made = decoder(torch.randn(1, 8, 5))
    assert bool(torch.isfinite(made).all())
