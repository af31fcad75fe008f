"""Waveform to features: ``(batch, 1, samples)`` to ``(batch, latent_dim, samples / hop_length)``.

Three encoders stand behind one interface: ``hop_length`` in samples and ``span``, the samples that one frame sees to
the left and right of its own. Those that learn end in a layer normalisation, so that features have a fixed scale and
the commitment loss cannot be won by shrinking them.
"""

from __future__ import annotations

from torch import Tensor, nn

from vqaudio.config.model import EncoderConfig, FramesEncoderConfig, SpectralEncoderConfig, StridedEncoderConfig
from vqaudio.errors import ModelError
from vqaudio.inference.spans import Span, encoder_span
from vqaudio.model.layers import ACTIVATIONS, ChannelNorm, ResidualUnit, SameConv1d
from vqaudio.model.transforms import MDCT, SpectralAnalysis


class Encoder(nn.Module):
    """Layers in a row."""

    def __init__(self, layers: list[nn.Module], latent_dim: int, *, config: EncoderConfig | None = None):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.normalise: nn.Module = nn.LayerNorm(latent_dim, elementwise_affine=False)
        self.hop_length = config.hop_length if config else 1
        self.span = encoder_span(config) if config else Span()

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

        def unit(width: int, expansion: int) -> nn.Module:
            return ResidualUnit(
                width,
                config.kernel_size,
                hidden=expansion * width,
                depth=depth,
                activation=activation,
                look_ahead=next(ahead),
            )

        super().__init__(
            [
                analysis,
                SameConv1d(analysis.out_channels, stem, kernel_size=1),
                ChannelNorm(stem),
                *(unit(stem, config.stem_expansion or config.expansion) for _ in range(config.stem_units)),
                SameConv1d(stem, channels, kernel_size=2 * config.stride, stride=config.stride),
                ChannelNorm(channels),
                *(unit(channels, config.expansion) for _ in range(config.units)),
                ChannelNorm(channels),
                SameConv1d(channels, latent_dim, kernel_size=1),
            ],
            latent_dim,
            config=config,
        )


class StridedEncoder(Encoder):
    """Every stride learned: van den Oord et al., "Neural Discrete Representation Learning", 2017, section 4.3."""

    def __init__(self, config: StridedEncoderConfig, latent_dim: int, *, activation: str = "gelu"):
        width = config.base_channels
        layers: list[nn.Module] = [SameConv1d(1, width, kernel_size=config.kernel_size)]
        depth = max(1, config.units * len(config.strides))
        for stride in config.strides:
            wider = min(2 * width, config.max_channels)
            layers += [Activation(activation), SameConv1d(width, wider, kernel_size=2 * stride, stride=stride)]
            layers += [
                ResidualUnit(
                    wider, config.kernel_size, hidden=config.expansion * wider, depth=depth, activation=activation
                )
                for _ in range(config.units)
            ]
            width = wider
        layers += [ChannelNorm(width), SameConv1d(width, latent_dim, kernel_size=1)]
        super().__init__(layers, latent_dim, config=config)


class FramesEncoder(Encoder):
    """A lapped frame of the waveform, and one linear map of it; :mod:`vqaudio.training.classic` fits the map.

    The frames are coordinates in an orthonormal basis of sound. So with ``latent_dim`` as large as the hop and an
    orthogonal map, sound comes back as it was (but for half a hop at either end), and what is lost of frames is lost of
    the sound: its squared errors are the same.
    """

    def __init__(self, config: FramesEncoderConfig, latent_dim: int):
        super().__init__(
            [MDCT(config.hop), SameConv1d(config.hop, latent_dim, kernel_size=1)], latent_dim, config=config
        )
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
