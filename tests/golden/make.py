"""Makes the golden files beside it: a ``.vq`` file that the tiny model wrote, and what that file decodes to.

``python tests/golden/make.py``. Run it only when the format or the networks change on purpose: that files of an earlier
version still decode is what the golden files are there to prove.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import vqaudio
from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.config.model import ModelConfig, SpectralDecoderConfig, SpectralEncoderConfig
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.layers import ResidualUnit

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from tools import synthetic  # noqa: E402 (found beside the tests)

RATE = 22050  # Hz; the model's is 16000
SECONDS = 6.3  # a chunk and a part of one
EVERY = 499  # of the decoded samples, one in so many is kept
CONFIG = ModelConfig(
    latent_dim=8,
    encoder=SpectralEncoderConfig(stem_channels=16, stem_units=1, channels=24, units=2, expansion=2),
    bottleneck=ResidualConfig(codebook_size=64, n_codebooks=4),
    decoder=SpectralDecoderConfig(window=640, channels=24, units=2, expansion=2),
)


def tiny_model() -> Autoencoder:
    """Random layers, far enough from zero that every frame of context is heard; codebooks from synthetic sound."""
    torch.manual_seed(0)
    model = Autoencoder(CONFIG).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ResidualUnit):
                module.expand.weight *= 10
                module.contract.weight *= 10
        head = model.decoder.head
        head.weight *= 8
        head.bias[: len(head.bias) // 2] += 2.0
        wav = np.concatenate([synthetic(10, CONFIG.sample_rate, seed=seed) for seed in range(1, 5)], axis=1)
        model.bottleneck.initialise(model.encoder(torch.from_numpy(wav)[None]))
    return model


def overdriven() -> NDArray[np.float32]:
    """Two channels that begin and end in the middle of a sound: around 0.3, and far above full scale from 5 s on."""
    wav = synthetic(SECONDS + 0.4, RATE, channels=2)[:, round(0.2 * RATE) : round((SECONDS + 0.2) * RATE)]
    wav[0] += 0.3
    wav[1, 5 * RATE :] *= 8.0
    return wav


def main() -> None:
    """Write the files of format version 3. (The model, and those of version 1 beside it, are as they were.)"""
    codec = vqaudio.load(HERE / "tiny.safetensors")
    wav = overdriven()
    codes = codec.encode(wav, RATE)
    (HERE / "tiny-3.vq").write_bytes(codec.compress(wav, RATE))
    samples = codec.decode(codes)[:, ::EVERY]
    np.savez_compressed(HERE / "expected-3.npz", codes=np.stack(codes.streams).astype(np.uint8), samples=samples)


if __name__ == "__main__":
    main()
