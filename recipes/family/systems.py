"""The systems of the family: what each is made of, and the recordings that all of them are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vqaudio.audio.recordings import Recording, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml, merged
from vqaudio.config.training import TrainConfig
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.metrics import Wave

HERE = Path(__file__).parent
FRAMES = {"encoder": {"kind": "frames", "hop": 80}, "decoder": {"kind": "frames"}}
SMALL = {"channels": 16, "units": 1, "kernel_size": 3, "expansion": 1}
QUICK = {
    "steps": 20,
    "warmup_steps": 2,
    "quantize_after": 5,
    "model": {"encoder": SMALL | {"stem_channels": 16}, "decoder": SMALL},
    "data": {"batch_size": 4, "valid_seconds": 1},
}
"""What --quick changes: networks of some thousand weights, trained for seconds."""


@dataclass(frozen=True)
class System:
    """One row of the table.

    Attributes:
        name, title: of its folder, and for readers.
        bottleneck: its config.
        latent_dim: numbers a frame.
        noise: that the encoder hears in training.
        fit: ``components`` or ``mixture`` for what is fitted to frames; empty for networks.
    """

    name: str
    title: str
    bottleneck: dict[str, Any]
    latent_dim: int = 32
    noise: float = 0.0
    fit: str = ""

    def run(self, out: Path, quick: bool) -> TrainConfig:
        """How it is trained, in a folder of its own below ``out``."""
        values = load_yaml(HERE / "base.yaml")
        if quick:
            values = merged(values, QUICK)
        own = {
            "out": str(out / self.name),
            "model": {"bottleneck": self.bottleneck, "latent_dim": self.latent_dim},
            "data": {"folder": str(out / "data"), "noise": self.noise},
        }
        return parse(TrainConfig, merged(values, own), source=self.name)

    def fitted(self) -> ModelConfig:
        """What is fitted."""
        values = {"sample_rate": 8000, "latent_dim": self.latent_dim, "bottleneck": self.bottleneck}
        return parse(ModelConfig, values | FRAMES, source=self.name)


SYSTEMS = (
    System("pca", "PCA", {"kind": "identity"}, fit="components"),
    System(
        "pca-1k",
        "PCA, 5 of 2 bits",
        {"kind": "grouped", "groups": 5, "codebook_size": 4},
        latent_dim=5,
        fit="components",
    ),
    System(
        "pca-3k",
        "PCA, 16 of 2 bits",
        {"kind": "grouped", "groups": 16, "codebook_size": 4},
        latent_dim=16,
        fit="components",
    ),
    System("pca-10k", "PCA, 32 of 3 bits", {"kind": "grouped", "groups": 32, "codebook_size": 8}, fit="components"),
    System("kmeans", "k-means", {"kind": "vq", "codebook_size": 1024}, fit="components"),
    System("gmm", "Gaussian mixture", {"kind": "vq", "codebook_size": 1024}, latent_dim=33, fit="mixture"),
    System("ae", "autoencoder", {"kind": "identity"}),
    System("dae-25", "denoising AE, 0.25", {"kind": "identity"}, noise=0.25),
    System("dae-50", "denoising AE, 0.5", {"kind": "identity"}, noise=0.5),
    System("dae-75", "denoising AE, 0.75", {"kind": "identity"}, noise=0.75),
    System("vae", "VAE, pathwise", {"kind": "gaussian"}),
    System("vae-score", "VAE, score function", {"kind": "gaussian", "estimator": "score"}),
    System("vq", "VQ-VAE, straight-through", {"kind": "vq", "codebook_size": 1024}),
    System("vq-loss", "VQ-VAE, codebook loss", {"kind": "vq", "codebook_size": 1024, "update": "loss"}),
    System("vq-rotation", "VQ-VAE, rotation trick", {"kind": "vq", "codebook_size": 1024, "gradient": "rotation"}),
    System("vq-gumbel", "VQ-VAE, Gumbel-softmax", {"kind": "vq", "codebook_size": 1024, "gradient": "gumbel"}),
    System("fsq", "FSQ", {"kind": "fsq", "levels": [8, 5, 5, 5]}),
    System("residual", "residual VQ", {"kind": "residual", "n_codebooks": 2, "codebook_size": 32, "dropout": 0.0}),
    System("grouped", "grouped VQ", {"kind": "grouped", "groups": 2, "codebook_size": 32, "dropout": 0.0}),
    System("vqvae2", "VQ-VAE-2", {"kind": "hierarchical", "codebook_size": 128}),
)
"""The table's rows. Those with codes spend 10 bits a frame (1 kb/s), as near as they can; PCA also more."""


def of_split(out: Path, split: str) -> list[Recording]:
    """The recordings of a split of ``out``/data."""
    return [item for item in list_recordings(out / "data") if item.split == split]


def counted_up(recordings: Sequence[Recording], rate: int, takes: int) -> list[Wave]:
    """Clips in which one speaker says all digits, one after the other: long enough for PESQ and STOI.

    Raises:
        VqaudioError: a speaker has no recording of some digit.
    """
    digits = sorted({item.label for item in recordings})
    clips = []
    for speaker in sorted({item.speaker for item in recordings}):
        said = {digit: [r for r in recordings if (r.speaker, r.label) == (speaker, digit)] for digit in digits}
        count = min(takes, *map(len, said.values()))
        if not count:
            raise VqaudioError(
                f"{speaker} does not say each of {', '.join(digits)} in every split: name more recordings"
            )
        clips += [
            np.concatenate([read_mono(said[digit][take].path, rate) for digit in digits]) for take in range(count)
        ]
    return clips
