"""Two tiny models that are not trained, and sounds made on the spot for them."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import nn

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.config.model import (
    ModelConfig,
    SpectralDecoderConfig,
    SpectralEncoderConfig,
    StridedDecoderConfig,
    StridedEncoderConfig,
)
from vqaudio.config.reading import parse
from vqaudio.model.autoencoder import Autoencoder

Network = TypeVar("Network", bound=nn.Module)

RATE = 16000
HOP = 32  # samples per frame of both tiny models
TINY_RESIDUAL = ResidualConfig(codebook_size=16, n_codebooks=3)


def spectral_config() -> ModelConfig:
    """The default architecture, some thousand parameters: 500 frames/s at 16 kHz, 3 codebooks of 16."""
    return ModelConfig(
        sample_rate=RATE,
        latent_dim=8,
        encoder=SpectralEncoderConfig(
            window=64,
            hop=16,
            stem_channels=12,
            stem_units=1,
            channels=16,
            units=1,
            kernel_size=3,
            expansion=2,
        ),
        bottleneck=TINY_RESIDUAL,
        decoder=SpectralDecoderConfig(window=128, channels=16, units=2, kernel_size=3, expansion=2),
    )


def strided_config() -> ModelConfig:
    """Every stride learned, same frame rate and codebooks as :func:`spectral_config`."""
    return ModelConfig(
        sample_rate=RATE,
        latent_dim=8,
        encoder=StridedEncoderConfig(strides=(2, 4, 4), base_channels=4, max_channels=16, kernel_size=3, expansion=2),
        bottleneck=TINY_RESIDUAL,
        decoder=StridedDecoderConfig(strides=(4, 4, 2), base_channels=4, max_channels=16, kernel_size=3, expansion=2),
    )


TINY_CONFIGS = {"spectral": spectral_config, "strided": strided_config}


def tiny_model(kind: str = "spectral", seed: int = 0) -> Autoencoder:
    """An untrained model in evaluation mode, the same at every call; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Autoencoder(TINY_CONFIGS[kind]()).eval()


def sound(n_samples: int, channels: int = 1, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """Three sines a channel and a little noise, ``(channels, n_samples)`` float32, peaks near half of full scale."""
    random = np.random.default_rng(seed)
    time = np.arange(n_samples) / rate
    pitch = random.uniform(80, 0.4 * rate, (channels, 3, 1))
    phase = random.uniform(0, 2 * np.pi, (channels, 3, 1))
    sines = np.sin(2 * np.pi * pitch * time + phase).sum(1)
    return (0.15 * sines + 0.01 * random.standard_normal(sines.shape)).astype(np.float32)


def waveforms(batch: int, n_samples: int, seed: int = 0) -> torch.Tensor:
    """:func:`sound` in the shape that models take: ``(batch, 1, n_samples)``."""
    return torch.from_numpy(sound(n_samples, batch, seed))[:, None]


def randomised(network: Network, std: float = 0.3) -> Network:
    """Weights away from where they begin: biases too, and ways that begin as none."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(std * torch.randn_like(parameter))
    return network


def frames_config(latent_dim: int = HOP, **bottleneck: object) -> ModelConfig:
    """Linear: lapped frames of ``HOP`` samples to themselves, through a bottleneck."""
    values = {"sample_rate": RATE, "latent_dim": latent_dim, "bottleneck": bottleneck or {"kind": "identity"}}
    return parse(ModelConfig, values | {"encoder": {"kind": "frames", "hop": HOP}, "decoder": {"kind": "frames"}})
