"""Waveform to features: ``(batch, 1, samples)`` to ``(batch, latent_dim, samples / hop_length)``.

Three encoders stand behind one interface: ``hop_length`` in samples and ``span``, the samples that one frame sees to
the left and right of its own. Those that learn end in a layer normalisation, so that features have a fixed scale and
the commitment loss cannot be won by shrinking them.
"""

from __future__ import annotations

from torch import Tensor, nn

from vqaudio.config.model import EncoderConfig, FramesEncoderConfig, SpectralEncoderConfig, StridedEncoderConfig
from vqaudio.errors import ModelError
from vqaudio.model.layers import ACTIVATIONS, ChannelNorm, ResidualUnit, SameConv1d, Span
from vqaudio.model.transforms import MDCT, SpectralAnalysis


class Encoder(nn.Module):
    """Layers in a row, each with the span of columns that it sees and the stride that it takes."""

    hop_length: int
    span: Span

    def __init__(self, layers: list[tuple[nn.Module, Span, int]], latent_dim: int):
        super().__init__()
        self.layers = nn.Sequential(*(layer for layer, _, _ in layers))
        self.normalise: nn.Module = nn.LayerNorm(latent_dim, elementwise_affine=False)
        self.hop_length, self.span = 1, Span()
        for _, span, stride in layers:
            self.span = self.span.then(span, self.hop_length)
            self.hop_length *= stride

    def forward(self, waveform: Tensor) -> Tensor:
        """``(batch, 1, samples)`` to ``(batch, latent_dim, samples / hop_length)``.

        Raises:
            ValueError: samples are not a multiple of ``hop_length``.
        """
        if waveform.shape[-1] % self.hop_length:
            raise ValueError(
                f"{waveform.shape[-1]} samples are no multiple of the hop_length {self.hop_length}: pad them"
            )
        features: Tensor = self.layers(waveform)
        features = self.normalise(features.transpose(1, 2))
        return features.transpose(1, 2)


class SpectralEncoder(Encoder):
    """A fixed windowed Fourier basis as the first strided convolution, one learned stride, then units."""

    def __init__(self, config: SpectralEncoderConfig, latent_dim: int, *, activation: str = "gelu"):
        analysis = SpectralAnalysis(config.window, config.hop)
        stem, channels = config.stem_channels, config.channels
        depth = config.stem_units + config.units
        ahead = iter(config.look_ahead or [None] * depth)

        def unit(width: int, expansion: int) -> tuple[nn.Module, Span, int]:
            layer = ResidualUnit(
                width,
                config.kernel_size,
                expansion=expansion,
                depth=depth,
                activation=activation,
                look_ahead=next(ahead),
            )
            return layer, layer.span, 1

        down = SameConv1d(stem, channels, kernel_size=2 * config.stride, stride=config.stride)
        super().__init__(
            [
                (analysis, analysis.span, config.hop),
                (SameConv1d(analysis.out_channels, stem, kernel_size=1), Span(), 1),
                (ChannelNorm(stem), Span(), 1),
                *(unit(stem, config.stem_expansion or config.expansion) for _ in range(config.stem_units)),
                (down, down.span, config.stride),
                (ChannelNorm(channels), Span(), 1),
                *(unit(channels, config.expansion) for _ in range(config.units)),
                (ChannelNorm(channels), Span(), 1),
                (SameConv1d(channels, latent_dim, kernel_size=1), Span(), 1),
            ],
            latent_dim,
        )


class StridedEncoder(Encoder):
    """Every stride learned: van den Oord et al., "Neural Discrete Representation Learning", 2017, section 4.3."""

    def __init__(self, config: StridedEncoderConfig, latent_dim: int, *, activation: str = "gelu"):
        width = config.base_channels
        first = SameConv1d(1, width, kernel_size=config.kernel_size)
        layers: list[tuple[nn.Module, Span, int]] = [(first, first.span, 1)]
        depth = max(1, config.units * len(config.strides))
        for stride in config.strides:
            wider = min(2 * width, config.max_channels)
            down = SameConv1d(width, wider, kernel_size=2 * stride, stride=stride)
            layers += [(Activation(activation), Span(), 1), (down, down.span, stride)]
            for _ in range(config.units):
                unit = ResidualUnit(
                    wider, config.kernel_size, expansion=config.expansion, depth=depth, activation=activation
                )
                layers.append((unit, unit.span, 1))
            width = wider
        layers += [(ChannelNorm(width), Span(), 1), (SameConv1d(width, latent_dim, kernel_size=1), Span(), 1)]
        super().__init__(layers, latent_dim)


class FramesEncoder(Encoder):
    """A lapped frame of the waveform, and one linear map of it; :mod:`vqaudio.training.classic` fits the map.

    The frames are coordinates in an orthonormal basis of sound. So with ``latent_dim`` as large as the hop and an
    orthogonal map, sound comes back as it was (but for half a hop at either end), and what is lost of frames is lost of
    the sound: its squared errors are the same.
    """

    def __init__(self, config: FramesEncoderConfig, latent_dim: int):
        frames = MDCT(config.hop)
        project = SameConv1d(config.hop, latent_dim, kernel_size=1)
        super().__init__([(frames, frames.span, config.hop), (project, Span(), 1)], latent_dim)
        self.normalise = nn.Identity()


class Activation(nn.Module):
    """A function of each value by itself, between convolutions."""

    def __init__(self, kind: str):
        super().__init__()
        self.function = ACTIVATIONS[kind]

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, in and out."""
        return self.function(x)


class AbsentEncoder(Encoder):
    """Where a model has none, because it is there to decode only. No weights, no span."""

    def __init__(self) -> None:
        super().__init__([], 1)

    def forward(self, waveform: Tensor) -> Tensor:
        """No features.

        Raises:
            ModelError: always.
        """
        raise ModelError("this model decodes only, its encoder is not here: use another model")


def build_encoder(config: EncoderConfig, latent_dim: int, *, activation: str = "gelu") -> Encoder:
    """The encoder that a config describes."""
    if isinstance(config, SpectralEncoderConfig):
        return SpectralEncoder(config, latent_dim, activation=activation)
    if isinstance(config, FramesEncoderConfig):
        return FramesEncoder(config, latent_dim)
    return StridedEncoder(config, latent_dim, activation=activation)
