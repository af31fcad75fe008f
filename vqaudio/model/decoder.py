"""Latents to waveform: ``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``.

A decoder may be told who speaks, so that codes need not say it: speakers are numbered from 1, 0 is an unknown one.

``span`` is in frames: the latents that one frame's samples depend on, beside its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vqaudio.config.model import DecoderConfig, FramesDecoderConfig, SpectralDecoderConfig, StridedDecoderConfig
from vqaudio.inference.spans import Span, decoder_span
from vqaudio.inference.spectra import LARGEST_LOG_MAGNITUDE
from vqaudio.model.layers import (
    ACTIVATIONS,
    ChannelNorm,
    ResidualUnit,
    SameConv1d,
    at_least_float32,
    full_precision,
)
from vqaudio.model.transforms import InverseMDCT, InverseSTFT


class Decoder(nn.Module):
    """What decoders share: layers at the frame rate and up, the speakers that they know, the span of latents."""

    layers: nn.Sequential

    def __init__(self, span: Span, n_speakers: int, speaker_dim: int):
        super().__init__()
        self.span = span
        self.speaker_embedding = nn.Embedding(1 + n_speakers, speaker_dim) if n_speakers else None

    def hidden(self, latents: Tensor, speaker: Tensor | None) -> Tensor:
        """What the layers make of latents; ``speaker`` is a LongTensor ``(batch,)``, without it nobody is known."""
        condition = None
        if self.speaker_embedding is not None:
            if speaker is None:
                speaker = torch.zeros(latents.shape[0], dtype=torch.long, device=latents.device)
            condition = self.speaker_embedding(speaker)
        for layer in self.layers:
            latents = layer(latents, condition) if isinstance(layer, ResidualUnit) else layer(latents)
        return latents

    def forward(self, latents: Tensor, speaker: Tensor | None = None) -> Tensor:
        """``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``."""
        raise NotImplementedError


class SpectralDecoder(Decoder):
    """Units at the frame rate, then log-magnitude and phase of a short-time spectrum, then its inverse.

    Source: Siuzdak, "Vocos", 2023, section 3: phase as the angle of a linear layer's output, so that a shift in time,
    which turns every frequency's phase in proportion, is one direction in the features.
    """

    def __init__(
        self,
        config: SpectralDecoderConfig,
        latent_dim: int,
        *,
        hop_length: int,
        activation: str = "gelu",
        n_speakers: int = 0,
        speaker_dim: int = 64,
    ):
        super().__init__(decoder_span(config, hop_length), n_speakers, speaker_dim)
        channels = config.channels
        self.bins = config.window // 2 + 1
        first = SameConv1d(latent_dim, channels, kernel_size=config.kernel_size)
        units = [
            ResidualUnit(
                channels,
                config.kernel_size,
                hidden=hidden,
                depth=config.units,
                activation=activation,
                condition_dim=speaker_dim if n_speakers else 0,
            )
            for hidden in config.hidden_channels
        ]
        self.layers = nn.Sequential(first, ChannelNorm(channels), *units, ChannelNorm(channels))
        self.head = nn.Linear(channels, 2 * self.bins)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.constant_(self.head.bias[: self.bins], -1.0)
        nn.init.zeros_(self.head.bias[self.bins :])
        self.synthesis = InverseSTFT(config.window, hop_length)

    def forward(self, latents: Tensor, speaker: Tensor | None = None) -> Tensor:
        """``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``."""
        features = self.hidden(latents, speaker).transpose(1, 2)
        with full_precision(latents):
            predicted = self.head(features.to(self.head.weight.dtype)).transpose(1, 2)
        log_magnitude, phase = predicted.split(self.bins, dim=1)
        magnitude = log_magnitude.clamp(max=LARGEST_LOG_MAGNITUDE).exp()
        waveform: Tensor = self.synthesis(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()))
        return waveform


class StridedDecoder(Decoder):
    """Transposed convolutions, the strided encoder's mirror (van den Oord et al., 2017, without the WaveNet)."""

    def __init__(
        self,
        config: StridedDecoderConfig,
        latent_dim: int,
        *,
        activation: str = "gelu",
        n_speakers: int = 0,
        speaker_dim: int = 64,
    ):
        super().__init__(decoder_span(config, math.prod(config.strides)), n_speakers, speaker_dim)
        widths = [config.base_channels * 2**power for power in range(len(config.strides), -1, -1)]
        widths = [min(width, config.max_channels) for width in widths]
        depth = max(1, config.units * len(config.strides))
        first = SameConv1d(latent_dim, widths[0], kernel_size=config.kernel_size)
        layers: list[SameConv1d | Upsample | ResidualUnit] = [first]
        for stride, narrower, width in zip(config.strides, widths[1:], widths[:-1], strict=True):
            layers.append(Upsample(width, narrower, stride=stride, activation=activation))
            layers += [
                ResidualUnit(
                    narrower,
                    config.kernel_size,
                    hidden=config.expansion * narrower,
                    depth=depth,
                    activation=activation,
                    condition_dim=speaker_dim if n_speakers else 0,
                )
                for _ in range(config.units)
            ]
        self.layers = nn.Sequential(*layers)
        self.activation = ACTIVATIONS[activation]
        self.last = SameConv1d(widths[-1], 1, kernel_size=config.kernel_size)

    def forward(self, latents: Tensor, speaker: Tensor | None = None) -> Tensor:
        """``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``."""
        waveform = self.last(self.activation(self.hidden(latents, speaker)))
        return at_least_float32(waveform)


class FramesDecoder(Decoder):
    """One linear map to lapped frames, and their sum: the mirror of :class:`vqaudio.model.encoder.FramesEncoder`."""

    def __init__(self, config: FramesDecoderConfig, latent_dim: int, *, hop_length: int):
        super().__init__(decoder_span(config, hop_length), 0, 0)
        self.layers = nn.Sequential(SameConv1d(latent_dim, hop_length, kernel_size=1))
        self.overlap = InverseMDCT(hop_length)

    def forward(self, latents: Tensor, speaker: Tensor | None = None) -> Tensor:
        """``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``."""
        waveform: Tensor = self.overlap(at_least_float32(self.hidden(latents, speaker)))
        return waveform


class Upsample(nn.ConvTranspose1d):
    """A transposed convolution to ``stride`` columns for each column; sees one neighbour on either side.

    Input ``i`` reaches outputs ``i * stride - stride // 2`` to ``(i + 2) * stride - stride // 2 - 1``.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, activation: str = "gelu"):
        super().__init__(in_channels, out_channels, 2 * stride, stride)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """``(batch, in_channels, columns)`` to ``(batch, out_channels, columns * stride)``."""
        stride = self.stride[0]
        grown = super().forward(self.activation(x), output_size)
        start = stride // 2
        return grown[..., start : start + x.shape[-1] * stride]


def build_decoder(
    config: DecoderConfig,
    latent_dim: int,
    *,
    hop_length: int,
    activation: str = "gelu",
    n_speakers: int = 0,
    speaker_dim: int = 64,
) -> Decoder:
    """The decoder that a config describes, for frames of ``hop_length`` samples."""
    if isinstance(config, FramesDecoderConfig):
        return FramesDecoder(config, latent_dim, hop_length=hop_length)
    speakers = {"n_speakers": n_speakers, "speaker_dim": speaker_dim}
    if isinstance(config, SpectralDecoderConfig):
        return SpectralDecoder(config, latent_dim, hop_length=hop_length, activation=activation, **speakers)
    return StridedDecoder(config, latent_dim, activation=activation, **speakers)
