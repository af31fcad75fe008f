"""Models with random weights, one for each kind of encoder, decoder and bottleneck, as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_bottlenecks import TABLE
from tiny_models import frames_config, randomised, spectral_config, strided_config

from vqaudio.config.model import ModelConfig, SpectralDecoderConfig, SpectralEncoderConfig
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

UNEVEN = {"stem_units": 2, "units": 2, "stem_expansion": 1, "look_ahead": (2, 1, 0, 0)}


def spectral(encoder: dict[str, object] | None = None, **settings: object) -> ModelConfig:
    """The tiny spectral model with other settings, of its encoder and of all."""
    plain = spectral_config()
    changed = SpectralEncoderConfig.model_validate(plain.encoder.model_dump() | (encoder or {}))
    return ModelConfig.model_validate(plain.model_dump() | {"encoder": changed} | settings)


def strided(**settings: object) -> ModelConfig:
    """The tiny strided model with other settings."""
    return ModelConfig.model_validate(strided_config().model_dump() | settings)


CONFIGS = {
    "spectral": spectral(),
    "spectral, not as far ahead as back": spectral(UNEVEN),
    "spectral, tanh": spectral(activation="gelu_tanh"),
    "spectral, even kernels": spectral({"kernel_size": 4, "window": 65}),
    "spectral, three windows over each other": spectral(decoder=SpectralDecoderConfig(window=96, channels=8, units=1)),
    "spectral, no stride to learn": spectral({"hop": 32, "stride": 1, "stem_units": 0}),
    "spectral, speakers": spectral(speakers=("ann", "bob"), speaker_dim=5),
    "strided": strided(),
    "strided, speakers, tanh": strided(speakers=("ann", "bob"), activation="gelu_tanh"),
    "frames": frames_config(),
    "frames, fewer dimensions": frames_config(5, kind="vq", codebook_size=8),
} | {f"bottleneck {name}": spectral(bottleneck=config, latent_dim=6) for name, (_, config) in TABLE.items()}


def stored(config: ModelConfig, folder: Path) -> Path:
    """A model of these settings as a file."""
    torch.manual_seed(3)
    path = folder / "model.safetensors"
    checkpoint.save(randomised(Autoencoder(config), 0.1).eval(), path)
    return path


def decibels(difference: NDArray[np.float32], sound: NDArray[np.float32]) -> float:
    """The energy of a difference relative to that of a sound, dB."""
    return float(10 * np.log10(np.square(difference).mean() / np.square(sound).mean() + 1e-20))
