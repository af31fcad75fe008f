"""Settings of a model: encoder, bottleneck and decoder, and the sounds that they are for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vqaudio.config.bottleneck import BottleneckConfig, FSQConfig, GroupedConfig, ResidualConfig
from vqaudio.config.section import Section

# ------------------------------------------------------------------------------------------------------------- encoders


class SpectralEncoderConfig(Section):
    """The default encoder: a windowed Fourier basis as first strided convolution, then learned layers."""

    kind: Literal["spectral"] = "spectral"
    window: int = Field(640, ge=16, description="samples in one analysis window")
    hop: int = Field(160, ge=4, description="samples between windows: the stride of the first convolution")
    stem_channels: int = Field(256, ge=4)
    stem_units: int = Field(2, ge=0, description="units before the learned stride")
    stem_expansion: int | None = Field(None, ge=1, description="of those units; none: as of the others")
    stride: int = Field(2, ge=1, description="stride of the learned convolution; hop × stride = hop_length")
    channels: int = Field(320, ge=4)
    units: int = Field(4, ge=1)
    kernel_size: int = Field(7, ge=1)
    expansion: int = Field(3, ge=1)
    look_ahead: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="frames ahead that each unit sees, those before the learned stride first; none: half a kernel"
    )

    @property
    def hop_length(self) -> int:
        """Samples per frame of features."""
        return self.hop * self.stride

    @model_validator(mode="after")
    def _look_ahead_fits(self) -> SpectralEncoderConfig:
        depth = self.stem_units + self.units
        if self.look_ahead is not None and len(self.look_ahead) != depth:
            raise ValueError(
                f"look_ahead has {len(self.look_ahead)} numbers, but there are {depth} units: give each one"
            )
        if self.look_ahead is not None and max(self.look_ahead) >= self.kernel_size:
            raise ValueError(f"look_ahead is {self.look_ahead}, expected less than the kernel_size {self.kernel_size}")
        return self

    @model_validator(mode="after")
    def _windows_touch(self) -> SpectralEncoderConfig:
        if self.window < self.hop:
            raise ValueError(f"window is {self.window}, below the hop {self.hop}: samples would be skipped")
        return self


class StridedEncoderConfig(Section):
    """Every stride learned from the waveform, as in the VQ-VAE paper's audio encoder (van den Oord et al., 2017)."""

    kind: Literal["strided"] = "strided"
    strides: tuple[Annotated[int, Field(ge=1)], ...] = (4, 4, 4, 5)
    base_channels: int = Field(32, ge=1, description="channels of the first layer, doubled after each stride")
    max_channels: int = Field(320, ge=4)
    units: int = Field(1, ge=0, description="units after each stride")
    kernel_size: int = Field(7, ge=1)
    expansion: int = Field(3, ge=1)

    @property
    def hop_length(self) -> int:
        """Samples per frame of features."""
        product = 1
        for stride in self.strides:
            product *= stride
        return product


class FramesEncoderConfig(Section):
    """One linear map of each frame, without layers to train: for what is fitted, as principal components are."""

    kind: Literal["frames"] = "frames"
    hop: int = Field(80, ge=2, multiple_of=2, description="samples between frames; each sees twice as many")

    @property
    def hop_length(self) -> int:
        """Samples per frame of features."""
        return self.hop


EncoderConfig = Annotated[
    SpectralEncoderConfig | StridedEncoderConfig | FramesEncoderConfig, Field(discriminator="kind")
]


# ------------------------------------------------------------------------------------------------------------- decoders


class SpectralDecoderConfig(Section):
    """The default decoder: units at the frame rate, then magnitude and phase of an inverse STFT."""

    kind: Literal["spectral"] = "spectral"
    window: int = Field(1280, ge=16, description="samples in one synthesis window, a multiple of hop_length")
    channels: int = Field(384, ge=4)
    units: int = Field(6, ge=1)
    kernel_size: int = Field(7, ge=1)
    expansion: int = Field(3, ge=1)
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="channels between the dense layers of each unit; none: expansion × channels"
    )

    @property
    def hidden_channels(self) -> tuple[int, ...]:
        """Of each unit, between its dense layers."""
        return self.hidden or (self.expansion * self.channels,) * self.units

    @model_validator(mode="after")
    def _hidden_fits(self) -> SpectralDecoderConfig:
        if self.hidden and len(self.hidden) != self.units:
            raise ValueError(f"hidden has {len(self.hidden)} numbers, but there are {self.units} units: give each one")
        return self


class StridedDecoderConfig(Section):
    """Transposed convolutions back to the waveform, the strided encoder's mirror."""

    kind: Literal["strided"] = "strided"
    strides: tuple[Annotated[int, Field(ge=1)], ...] = (5, 4, 4, 4)
    base_channels: int = Field(32, ge=1)
    max_channels: int = Field(320, ge=4)
    units: int = Field(1, ge=0)
    kernel_size: int = Field(7, ge=1)
    expansion: int = Field(3, ge=1)


class FramesDecoderConfig(Section):
    """One linear map back to frames, the mirror of the encoder of that kind."""

    kind: Literal["frames"] = "frames"


DecoderConfig = Annotated[
    SpectralDecoderConfig | StridedDecoderConfig | FramesDecoderConfig, Field(discriminator="kind")
]


# ---------------------------------------------------------------------------------------------------------------- model


class ModelConfig(Section):
    """Encoder, bottleneck and decoder, and the sounds they are for."""

    sample_rate: int = Field(16000, ge=100, description="Hz")
    latent_dim: int = Field(64, ge=1, description="D, dimensions of a frame at the bottleneck")
    activation: Literal["gelu", "gelu_tanh"] = Field("gelu", description="gelu_tanh: as in models of version 0.1")
    speakers: tuple[str, ...] = Field((), description="names that the decoder can be told; none: it hears codes alone")
    speaker_dim: int = Field(64, ge=1, description="dimensions of a speaker's embedding")
    encoder: EncoderConfig = SpectralEncoderConfig()
    bottleneck: BottleneckConfig = ResidualConfig()
    decoder: DecoderConfig = SpectralDecoderConfig()

    @property
    def hop_length(self) -> int:
        """Samples per frame."""
        return self.encoder.hop_length

    @property
    def frame_rate(self) -> float:
        """Frames per second (Hz)."""
        return self.sample_rate / self.hop_length

    @model_validator(mode="after")
    def _speakers_differ(self) -> ModelConfig:
        if len(set(self.speakers)) < len(self.speakers) or not all(self.speakers):
            raise ValueError("speakers has a name twice, or an empty one: give each speaker one name")
        return self

    @model_validator(mode="after")
    def _frames_fit(self) -> ModelConfig:
        if isinstance(self.decoder, FramesDecoderConfig):
            if self.hop_length % 2:
                raise ValueError(f"the hop_length is {self.hop_length}, but a decoder of frames needs an even one")
            if self.speakers:
                raise ValueError("a decoder of frames cannot be told who speaks: take another, or remove speakers")
        return self

    @model_validator(mode="after")
    def _bottleneck_fits(self) -> ModelConfig:
        kind = self.bottleneck
        if isinstance(kind, GroupedConfig) and self.latent_dim % kind.groups:
            raise ValueError(
                f"latent_dim is {self.latent_dim}, which {kind.groups} groups cannot share evenly: change one of them"
            )
        if isinstance(kind, FSQConfig) and len(kind.levels) > self.latent_dim:
            raise ValueError(f"bottleneck.levels has {len(kind.levels)} numbers, above latent_dim {self.latent_dim}")
        return self

    @model_validator(mode="after")
    def _strides_agree(self) -> ModelConfig:
        if isinstance(self.decoder, StridedDecoderConfig):
            product = 1
            for stride in self.decoder.strides:
                product *= stride
            if product != self.hop_length:
                raise ValueError(
                    f"decoder.strides multiply to {product} but the encoder's hop_length is {self.hop_length}: "
                    "make them equal"
                )
        elif isinstance(self.decoder, SpectralDecoderConfig) and (
            self.decoder.window % self.hop_length or self.decoder.window < 2 * self.hop_length
        ):
            raise ValueError(
                f"decoder.window is {self.decoder.window} but must be a multiple (2 or more) of the hop_length "
                f"{self.hop_length}"
            )
        return self
