"""Settings of a training run: what all runs have, and those that train a codec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vqaudio.config.model import ModelConfig
from vqaudio.config.section import Decay, Positive, Section


class DataConfig(Section):
    """Which recordings are heard, how often, and how they are varied."""

    folder: str | None = Field(
        None,
        description="folder of audio, or a manifest or tars, by path or URL; default: $VQAUDIO_DATA/speech or "
        "../shared/data/speech",
    )
    corpora: tuple[str, ...] = Field((), description="those that are heard; none: all that the folder holds")
    cache: str | None = Field(
        None,
        description="folder in which decoded recordings are kept for the next run; default: "
        "$XDG_CACHE_HOME/vqaudio or ~/.cache/vqaudio, but for small ones, which are decoded into memory",
    )
    workers: int = Field(
        0,
        ge=0,
        description="processes that prepare crops ahead of the step, for each that trains; 0: none, but on a GPU "
        "of which the recordings would fill more than a quarter, 2; where they do not, it prepares crops itself",
    )
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
    perturbed: float = Field(0.0, ge=0, le=1, description="share of crops that the encoder hears in another voice")
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
    sampled_scales: bool = Field(
        False, description="two window lengths sampled at each step, for the mean of all: a third of the time"
    )


class AdversarialConfig(Section):
    """Discriminators of spectra and periods, with feature matching, for the last part of a run."""

    start: float = Field(0.6, ge=0, le=1, description="share of the run after which they begin")
    pretrain_steps: int = Field(150, ge=0, description="steps that they learn before the model learns from them")
    windows: tuple[Annotated[int, Field(ge=16, le=2048, multiple_of=4)], ...] = Field(
        (2048, 1024, 512, 256), min_length=1, description="samples in one window, one discriminator each"
    )
    periods: tuple[Annotated[int, Field(ge=2)], ...] = Field((), description="samples, one discriminator each")
    channels: int = Field(48, ge=1, description="of those over spectra")
    period_channels: int = Field(32, ge=1, description="of the first layer of those over periods; 32 times in the last")
    discriminators_per_step: int | None = Field(
        None, ge=1, description="so many of them, sampled anew, take part in each step; none: all"
    )
    loss: Literal["hinge", "least_squares"] = "hinge"
    learning_rate: float = Field(5e-4, gt=0)
    betas: tuple[Decay, Decay] = (0.5, 0.9)
    init_from: str | None = Field(None, description="discriminators.safetensors of another run to start from")
    adversarial: float = Field(0.33, ge=0, description="size of its gradient, in parts of the reconstruction's")
    feature_matching: float = Field(0.33, ge=0, description="likewise")

    @model_validator(mode="after")
    def _enough_to_sample_from(self) -> AdversarialConfig:
        count = len(self.windows) + len(self.periods)
        if self.discriminators_per_step is not None and self.discriminators_per_step > count:
            raise ValueError(
                f"discriminators_per_step is {self.discriminators_per_step}, but there are {count} "
                "discriminators: ask for fewer"
            )
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
