"""Latents to waveform: ``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``.

``span`` is in frames: the latents that one frame's samples depend on, beside its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.config import DecoderConfig, SpectralDecoderConfig, StridedDecoderConfig
from vqaudio.layers import ChannelNorm, SameConv1d, Span, Synthesis, Unit, full_precision, same_span


class Decoder(nn.Module):
    """What both decoders share: the span of latents, in frames."""

    span: Span

    def forward(self, latents: Tensor) -> Tensor:
        """``(batch, latent_dim, frames)`` to ``(batch, 1, frames * hop_length)``."""
        raise NotImplementedError


class SpectralDecoder(Decoder):
    """Units at the frame rate, then log-magnitude and phase of a short-time spectrum, then its inverse.

    Source: Siuzdak, "Vocos", 2023, section 3: phase as the angle of a linear layer's output, so that a shift in time,
    which turns every frequency's phase in proportion, is one direction in the features.
    """

    largest_log_magnitude = 6.0

    def __init__(self, config: SpectralDecoderConfig, latent_dim: int, hop_length: int):
        super().__init__()
        channels = config.channels
        self.bins = config.window // 2 + 1
        first = SameConv1d(latent_dim, channels, config.kernel_size)
        units = [Unit(channels, config.kernel_size, config.expansion, config.units) for _ in range(config.units)]
        self.layers = nn.Sequential(first, ChannelNorm(channels), *units, ChannelNorm(channels))
        self.head = nn.Linear(channels, 2 * self.bins)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.constant_(self.head.bias[: self.bins], -1.0)
        nn.init.zeros_(self.head.bias[self.bins :])
        self.synthesis = Synthesis(config.window, hop_length)
        self.span = first.span
        for unit in units:
            self.span = self.span.then(unit.span)
        self.span = self.span.then(self.synthesis.span)

    def forward(self, latents: Tensor) -> Tensor:
        features = self.layers(latents).transpose(1, 2)
        with full_precision(latents):
            predicted = self.head(features.float()).transpose(1, 2)
        log_magnitude, phase = predicted.split(self.bins, dim=1)
        magnitude = log_magnitude.clamp(max=self.largest_log_magnitude).exp()
        return self.synthesis(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()))


class StridedDecoder(Decoder):
    """Transposed convolutions, the strided encoder's mirror (van den Oord et al., 2017, without the WaveNet)."""

    def __init__(self, config: StridedDecoderConfig, latent_dim: int):
        super().__init__()
        widths = [config.base_channels * 2**power for power in range(len(config.strides), -1, -1)]
        widths = [min(width, config.max_channels) for width in widths]
        depth = max(1, config.units * len(config.strides))
        first = SameConv1d(latent_dim, widths[0], config.kernel_size)
        layers: list[nn.Module] = [first]
        reach = float(first.span.right)  # in frames; each stride makes later layers' columns shorter
        column = 1.0
        for stride, narrower, width in zip(config.strides, widths[1:], widths[:-1], strict=True):
            layers += [Upsample(width, narrower, stride)]
            reach, column = reach + column, column / stride
            for _ in range(config.units):
                layers.append(Unit(narrower, config.kernel_size, config.expansion, depth))
                reach += column * same_span(config.kernel_size).right
        last = SameConv1d(widths[-1], 1, config.kernel_size)
        reach += column * last.span.right
        self.layers = nn.Sequential(*layers)
        self.last = last
        self.span = Span(math.ceil(reach), math.ceil(reach))

    def forward(self, latents: Tensor) -> Tensor:
        return self.last(functional.gelu(self.layers(latents), approximate="tanh")).float()


class Upsample(nn.ConvTranspose1d):
    """A transposed convolution to ``stride`` columns for each column; sees one neighbour on either side."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__(in_channels, out_channels, 2 * stride, stride)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        stride = self.stride[0]
        grown = super().forward(functional.gelu(x, approximate="tanh"), output_size)
        start = stride // 2
        return grown[..., start : start + x.shape[-1] * stride]


def build_decoder(config: DecoderConfig, latent_dim: int, hop_length: int) -> Decoder:
    """The decoder that a config describes, for frames of ``hop_length`` samples."""
    if isinstance(config, SpectralDecoderConfig):
        return SpectralDecoder(config, latent_dim, hop_length)
    return StridedDecoder(config, latent_dim)
