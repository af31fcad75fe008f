"""Typed configs: what a model and a training run are made of.

Every section refuses unknown keys and values out of range, and names the key's full path in the message
(``model.encoder.channels: ...``). Configs are plain data: YAML on disk, JSON inside a checkpoint.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vqaudio.errors import ConfigError

Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A group of settings; unknown keys are refused and values cannot change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ---------------------------------------------------------------------------------------------------------- encoders


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


# ---------------------------------------------------------------------------------------------------------- decoders


class SpectralDecoderConfig(Section):
    """The default decoder: units at the frame rate, then magnitude and phase of an inverse STFT."""

    kind: Literal["spectral"] = "spectral"
    window: int = Field(1280, ge=16, description="samples in one synthesis window, a multiple of hop_length")
    channels: int = Field(384, ge=4)
    units: int = Field(6, ge=1)
    kernel_size: int = Field(7, ge=1)
    expansion: int = Field(3, ge=1)


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


# ------------------------------------------------------------------------------------------------------- bottlenecks


Streams = tuple[tuple[int, int], ...]
"""Of each token stream that a bottleneck has: how many codes there are, and its stride in frames."""


class IdentityConfig(Section):
    """No quantization: a plain autoencoder."""

    kind: Literal["identity"] = "identity"

    @property
    def streams(self) -> Streams:
        return ()


class GaussianConfig(Section):
    """A variational autoencoder: noise of a learned size, paid for in nats."""

    kind: Literal["gaussian"] = "gaussian"
    beta: float = Field(0.01, ge=0, description="β, weight of the KL divergence, whose unit is nats per frame")
    free_bits: float = Field(0.0, ge=0, description="λ, nats per frame and dimension that there is no gain in saving")
    estimator: Literal["pathwise", "score"] = Field(
        "pathwise", description="how the decoder's loss reaches the encoder: through the noise, or as a score"
    )

    @property
    def streams(self) -> Streams:
        return ()


class CodebookConfig(Section):
    """What all codebooks have, however many there are."""

    codebook_size: int = Field(1024, ge=2, le=65536, description="K")
    commitment: float = Field(0.25, ge=0, description="β")
    update: Literal["ema", "loss"] = Field("ema", description="codebook learned by moving averages or by its own loss")
    decay: float = Field(0.98, gt=0, lt=1, description="of the moving averages")
    revive_below: float = Field(0.02, ge=0, description="codes with fewer assignments a batch (averaged) are re-seeded")


class VQConfig(CodebookConfig):
    """One codebook (VQ-VAE)."""

    kind: Literal["vq"] = "vq"
    gradient: Literal["straight_through", "rotation", "gumbel"] = Field(
        "straight_through", description="how the decoder's gradient passes the choice of a code"
    )
    temperature: float = Field(1.0, gt=0, description="τ of gumbel: the lower, the nearer its gradient is to a choice")

    @property
    def streams(self) -> Streams:
        return ((self.codebook_size, 1),)


class ResidualConfig(CodebookConfig):
    """Residual VQ: each codebook quantizes what the ones before it left."""

    kind: Literal["residual"] = "residual"
    gradient: Literal["straight_through", "rotation"] = Field(
        "straight_through", description="how the decoder's gradient passes the choice of a code"
    )
    n_codebooks: int = Field(8, ge=1, le=64)
    dropout: float = Field(0.5, ge=0, le=1, description="share of a batch decoded from a random number of codebooks")
    frame_dropout: float = Field(
        0.0, ge=0, le=1, description="share of those items in which the number changes every few frames"
    )
    stop_codes: bool = Field(
        False, description="an embedding of zeros in each codebook but the first stays so: a frame may end there"
    )
    search: int = Field(1, ge=1, le=1024, description="sums that encoding keeps in view, times codebooks; 1: greedy")

    @property
    def streams(self) -> Streams:
        return ((self.codebook_size, 1),) * self.n_codebooks

    @model_validator(mode="after")
    def _stop_codes_stay(self) -> ResidualConfig:
        if self.stop_codes and self.update == "loss":
            raise ValueError("stop_codes need update: ema; with update: loss the optimizer would move them off zero")
        return self


class GroupedConfig(ResidualConfig):
    """Product quantization: groups of channels, each with codebooks of its own."""

    kind: Literal["grouped"] = "grouped"  # type: ignore[assignment]
    groups: int = Field(2, ge=2, le=64)
    n_codebooks: int = Field(1, ge=1, le=32, description="in each group, one on what the other left")

    @property
    def streams(self) -> Streams:
        return ((self.codebook_size, 1),) * (self.groups * self.n_codebooks)

    @model_validator(mode="after")
    def _streams_fit_a_file(self) -> GroupedConfig:
        if self.groups * self.n_codebooks > 64:
            raise ValueError(
                f"{self.groups} groups of {self.n_codebooks} codebooks make {self.groups * self.n_codebooks} streams, "
                "but a file holds 64: use fewer"
            )
        return self


class FSQConfig(Section):
    """Finite scalar quantization: a few numbers a frame, each rounded to a few levels."""

    kind: Literal["fsq"] = "fsq"
    levels: tuple[Annotated[int, Field(ge=3)], ...] = Field(
        (8, 5, 5, 5), min_length=1, description="of each number; their product is the number of codes"
    )

    @property
    def streams(self) -> Streams:
        return ((math.prod(self.levels), 1),)

    @model_validator(mode="after")
    def _codes_fit_a_file(self) -> FSQConfig:
        if math.prod(self.levels) > 65536:
            raise ValueError(f"levels multiply to {math.prod(self.levels)} codes, but a file holds 65536: use fewer")
        return self


class HierarchicalConfig(VQConfig):
    """VQ-VAE-2 over time: each level has half the frame rate of the one below it, which is told its codes."""

    kind: Literal["hierarchical"] = "hierarchical"  # type: ignore[assignment]
    levels: int = Field(2, ge=2, le=4)
    kernel_size: int = Field(5, ge=1, description="of the units between levels")
    expansion: int = Field(3, ge=1)

    @property
    def streams(self) -> Streams:
        return tuple((self.codebook_size, 2**power) for power in reversed(range(self.levels)))


BottleneckConfig = Annotated[
    IdentityConfig | GaussianConfig | VQConfig | ResidualConfig | GroupedConfig | FSQConfig | HierarchicalConfig,
    Field(discriminator="kind"),
]


# ------------------------------------------------------------------------------------------------------------- model


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


# ------------------------------------------------------------------------------------------------------------- prior


class WaveNetConfig(Section):
    """A WaveNet over codes. Its integer twin needs sums of at most 512 products to be exact."""

    channels: int = Field(192, ge=4, le=256, description="of the residual stream and of the gates")
    skip_channels: int = Field(256, ge=4, le=512)
    dilations: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4, 8, 16, 1, 2, 4, 8, 16), min_length=1, description="frames between a layer's two columns"
    )
    head_channels: int = Field(256, ge=4, le=512)
    code_dim: int = Field(64, ge=1, le=512, description="of a code's entry; that of the codec's codebooks fits best")
    condition_channels: int = Field(32, ge=1, le=512, description="of a label's entry")
    dropout: float = Field(0.1, ge=0, lt=1, description="inside the heads")


# ---------------------------------------------------------------------------------------------------------- training


class DataConfig(Section):
    """Which recordings are heard, how often, and how they are varied."""

    folder: str | None = Field(
        None, description="folder of audio; default: $VQAUDIO_DATA/speech or ../shared/data/speech"
    )
    corpora: tuple[str, ...] = Field((), description="those that are heard; none: all that the folder holds")
    cache: str | None = Field(None, description="folder in which decoded recordings are kept for the next run")
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="share of crops by corpus (manifest) or first-level folder; others share by duration"
    )
    crop_seconds: float = Field(1.28, gt=0)
    batch_size: int = Field(9, ge=1, description="crops per process and step")
    equalised: float = Field(0.0, ge=0, le=1, description="share of crops given another colour, by equaliser_db")
    noisy: float = Field(0.0, ge=0, le=1, description="share of crops with noise, which is to come out as well")
    noise_db: tuple[float, float] = Field((0.0, 30.0), description="range of the speech's level over that noise's, dB")
    reverberant: float = Field(0.0, ge=0, le=1, description="share of crops moved into a room")
    speed_probability: float = Field(0.5, ge=0, le=1, description="share of crops played faster or slower")
    speed_range: tuple[Positive, Positive] = Field((0.85, 1.15), description="by how much; pitch and formants move too")
    level_probability: float = Field(0.5, ge=0, le=1, description="share of crops moved to a random level")
    level_db: tuple[float, float] = Field((-40.0, -16.0), description="range of that level, dB RMS re full scale")
    disguised: float = Field(0.0, ge=0, le=1, description="share of crops that the encoder hears in another voice")
    pitch_semitones: tuple[float, float] = Field((-5.0, 5.0), description="by how much these are moved")
    equaliser_db: float = Field(8.0, ge=0, description="most that bands of these, and of equalised crops, are moved by")
    noise: float = Field(0.0, ge=0, description="white noise that only the encoder hears, times each crop's RMS level")
    unknown_speaker: float = Field(0.1, ge=0, le=1, description="share of crops whose speaker the decoder is not told")
    silence_db: float = Field(-55.0, description="crops below this level (dB RMS) are mostly drawn again")
    valid_seconds: float = Field(60.0, gt=0, description="speech scored at each validation")

    @model_validator(mode="after")
    def _ranges_ascend(self) -> DataConfig:
        for name in ("speed_range", "level_db", "pitch_semitones", "noise_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is ({low}, {high}): put the lower value first")
        return self


class LossConfig(Section):
    """Weights of the reconstruction losses; 0 leaves a term out."""

    mel: float = Field(1.0, ge=0)
    magnitude: float = Field(2.0, ge=0, description="compressed STFT magnitude")
    complex: float = Field(1.0, ge=0, description="compressed complex STFT")
    waveform: float = Field(0.0, ge=0, description="L1 between waveforms over the crop's RMS level")
    weighting: Literal["flat", "erb"] = Field(
        "flat", description="of the STFT's bins in both: all alike, or each of the ear's bands alike"
    )
    margin_seconds: float = Field(0.1, ge=0, description="left out of the loss at either end of a crop")
    drawn_scales: bool = Field(
        False, description="two window lengths drawn at each step, for the mean of all: a third of the time"
    )


class AdversarialConfig(Section):
    """Discriminators of spectra and periods, with feature matching, for the last part of a run."""

    start: float = Field(0.6, ge=0, le=1, description="share of the run after which they begin")
    alone_steps: int = Field(150, ge=0, description="steps that they learn before the model learns from them")
    windows: tuple[Annotated[int, Field(ge=16, le=2048, multiple_of=4)], ...] = Field(
        (2048, 1024, 512, 256), min_length=1, description="samples in one window, one discriminator each"
    )
    periods: tuple[Annotated[int, Field(ge=2)], ...] = Field((), description="samples, one discriminator each")
    channels: int = Field(48, ge=1, description="of those over spectra")
    period_channels: int = Field(32, ge=1, description="of the first layer of those over periods; 32 times in the last")
    drawn: int | None = Field(None, ge=1, description="of them, drawn anew to take part in each step; none: all")
    loss: Literal["hinge", "least_squares"] = "hinge"
    learning_rate: float = Field(5e-4, gt=0)
    betas: tuple[Decay, Decay] = (0.5, 0.9)
    init_from: str | None = Field(None, description="discriminators.safetensors of another run to start from")
    adversarial: float = Field(0.33, ge=0, description="size of its gradient, in parts of the reconstruction's")
    feature_matching: float = Field(0.33, ge=0, description="likewise")

    @model_validator(mode="after")
    def _enough_to_draw_from(self) -> AdversarialConfig:
        count = len(self.windows) + len(self.periods)
        if self.drawn is not None and self.drawn > count:
            raise ValueError(f"drawn is {self.drawn}, but there are {count} discriminators: draw fewer")
        return self


class RunConfig(Section):
    """What any run of ``python -m vqaudio.train`` has: where it goes, how long, how its weights move, on what."""

    out: str = Field("runs/default", description="folder for logs, resume state and the trained model")
    steps: int = Field(10000, ge=1, description="length of the schedule; --minutes sets it by time instead")
    optimizer: Literal["adamw", "soap", "muon"] = "adamw"
    learning_rate: float = Field(1e-3, gt=0)
    final_learning_rate: float = Field(1e-5, ge=0, description="at the end of the cosine")
    warmup_steps: int = Field(200, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    betas: tuple[Decay, Decay] = (0.8, 0.99)
    clip_norm: float = Field(5.0, gt=0)
    weight_ema: float = Field(0.0, ge=0, lt=1, description="decay of an average of weights and codebooks; 0: none")
    init_from: str | None = Field(None, description="a model to start from, instead of random weights")
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = Field(False, description="torch.compile the networks (needs a C++ compiler on a CPU)")
    seed: int = 0
    log_every: int = Field(20, ge=1, description="steps")
    valid_every: int = Field(1000, ge=1, description="steps")
    save_every_minutes: float = Field(3.0, gt=0)
    devices: int = Field(1, ge=1, description="processes on each machine; torchrun overrules it")
    nodes: int = Field(1, ge=1, description="machines; torchrun overrules it")
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"


class TrainConfig(RunConfig):
    """The training of a codec."""

    kind: Literal["codec"] = "codec"
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    adversarial: AdversarialConfig | None = None
    frozen: tuple[Literal["encoder", "bottleneck", "decoder"], ...] = Field(
        (), description="parts of init_from that stay as they are; both: the model makes the same codes as that one"
    )
    quantize_after: int = Field(400, ge=0, description="steps of plain autoencoding before the codebooks start")
    late_decay: float = Field(0.99, gt=0, lt=1, description="codebooks' moving-average decay in the last half")
    speaker_corpora: tuple[str, ...] = Field((), description="corpora whose speakers in training the decoder is told")

    @model_validator(mode="after")
    def _frozen_weights_come_from_somewhere(self) -> TrainConfig:
        if self.frozen and self.init_from is None:
            raise ValueError(f"{' and '.join(self.frozen)} cannot be frozen without init_from: name the model to keep")
        return self


class TokenDataConfig(Section):
    """Which tokens a prior learns from, and how they are varied."""

    folder: str = Field(description="what python -m vqaudio.tokenize wrote")
    weights: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {}, description="share of crops by corpus; others share by duration"
    )
    crop_seconds: float = Field(5.0, gt=0, description="also of what validation scores; best the chunks of files")
    batch_size: int = Field(16, ge=1, description="crops per process and step")
    hidden: float = Field(0.1, ge=0, lt=1, description="share of frames hidden from those after them")
    unlabelled: float = Field(0.5, ge=0, le=1, description="share of crops whose labels are left out, each by itself")


class PriorTrainConfig(RunConfig):
    """The training of a prior over a codec's tokens."""

    kind: Literal["prior"]
    codec: str = Field(description="a shipped model's name, or a file: whose tokens they are")
    fields: tuple[Literal["speaker", "label"], ...] = Field((), description="what the prior is conditioned on")
    field_corpora: tuple[str, ...] = Field((), description="whose labels count; none: all that have one")
    model: WaveNetConfig = WaveNetConfig()
    data: TokenDataConfig
    round_from: float = Field(0.7, ge=0, le=1, description="share of the run after which values are on their grids")


# ----------------------------------------------------------------------------------------------------------- reading

T = TypeVar("T", bound=Section)


def parse(kind: type[T], data: Any, source: str = "config") -> T:
    """Check ``data`` (nested dictionaries) against a section.

    Raises:
        ConfigError: unknown key or bad value; each problem is named by its path.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            path = ".".join(_keys(item["loc"], data)) or "(top level)"
            if item["type"] == "extra_forbidden":
                problems.append(f"{path}: unknown key, remove it or correct its name")
            elif item["type"] == "union_tag_not_found":
                problems.append(f"{path}: has no kind; add {path}.kind, which says what its other keys mean")
            elif item["type"] == "value_error":  # from one of our own checks, which say what they found
                problems.append(f"{path}: {item['ctx']['error']}")
            else:
                problems.append(f"{path}: {item['msg']} (found {_short(item['input'])})")
        raise ConfigError(f"{source}: " + "; ".join(problems)) from None


def parse_run(data: dict[str, Any], source: str = "config") -> RunConfig:
    """Check a run's config; its ``kind`` says what it trains: a codec by default, or a prior.

    Raises:
        ConfigError: as :func:`parse`.
    """
    return parse(PriorTrainConfig if data.get("kind") == "prior" else TrainConfig, data, source)


def _keys(location: tuple[int | str, ...], data: Any) -> list[str]:
    """The keys that lead to a problem, as they are written in the config: pydantic adds a section's kind to them."""
    keys = []
    for part in location:
        if isinstance(data, dict):
            if part not in data and part == data.get("kind"):
                continue
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            data = data[part]
        keys.append(str(part))
    return keys


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def load_yaml(path: str | Path, overrides: list[str] | None = None) -> dict[str, Any]:
    """Read a YAML file and apply ``a.b=value`` overrides (values are YAML too).

    Raises:
        ConfigError: no such file, not YAML, not a mapping, or an override without ``=``.
    """
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: holds {type(data).__name__}, expected `key: value` lines")
    for override in overrides or []:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {override}: expected KEY=VALUE, as in --set data.batch_size=4")
        node = data
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"--set {override}: {parent} is a value, not a section")
        try:
            node[last] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--set {override}: {value!r} is not a YAML value") from None
    return data


def dump_json(section: Section) -> str:
    """The section as one line of JSON with sorted keys: the form that checkpoints embed."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
