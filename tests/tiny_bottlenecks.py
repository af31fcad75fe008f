"""One bottleneck of each kind, small: the contract is tested on all of them."""

from __future__ import annotations

from vqaudio.config.bottleneck import (
    BottleneckConfig,
    FSQConfig,
    GaussianConfig,
    GroupedConfig,
    HierarchicalConfig,
    IdentityConfig,
    ResidualConfig,
    VQConfig,
)
from vqaudio.model.bottleneck import (
    FSQ,
    VQ,
    Bottleneck,
    Gaussian,
    GroupedVQ,
    HierarchicalVQ,
    Identity,
    ResidualVQ,
    build_bottleneck,
)
from vqaudio.model.bottleneck.codebook import Codebook

DIM = 6
EVERY = 4  # codebooks of `residual`


TABLE: dict[str, tuple[type[Bottleneck], BottleneckConfig]] = {
    "identity": (Identity, IdentityConfig()),
    "vq-ema": (VQ, VQConfig(codebook_size=8)),
    "vq-loss": (VQ, VQConfig(codebook_size=8, update="loss")),
    "residual-ema": (ResidualVQ, ResidualConfig(codebook_size=8, n_codebooks=4)),
    "vq-rotation": (VQ, VQConfig(codebook_size=8, gradient="rotation")),
    "residual-rotation": (ResidualVQ, ResidualConfig(codebook_size=8, n_codebooks=4, gradient="rotation")),
    "residual-loss": (ResidualVQ, ResidualConfig(codebook_size=8, n_codebooks=4, update="loss")),
    "vq-gumbel": (VQ, VQConfig(codebook_size=8, gradient="gumbel", update="loss")),
    "grouped": (GroupedVQ, GroupedConfig(codebook_size=8, groups=3)),
    "grouped-residual": (GroupedVQ, GroupedConfig(codebook_size=8, groups=2, n_codebooks=3)),
    "fsq": (FSQ, FSQConfig(levels=(4, 3, 5))),
    "fsq-unprojected": (FSQ, FSQConfig(levels=(3, 4, 3, 3, 4, 3))),
    "hierarchical": (HierarchicalVQ, HierarchicalConfig(codebook_size=8)),
    "hierarchical-3": (HierarchicalVQ, HierarchicalConfig(codebook_size=8, levels=3, update="loss")),
    "gaussian": (Gaussian, GaussianConfig()),
    "gaussian-score": (Gaussian, GaussianConfig(estimator="score")),
}


QUANTIZERS = ["vq-ema", "vq-loss", "residual-ema", "residual-loss", "vq-gumbel", "grouped", "grouped-residual"]
"""Those whose latents are codebook embeddings, with a gradient that passes straight to the features."""


def make(name: str, dim: int = DIM) -> Bottleneck:
    return build_bottleneck(TABLE[name][1], dim)


def make_codebook(update: str = "ema", size: int = 4, dim: int = 3, **settings: float) -> Codebook:
    return Codebook(VQConfig(codebook_size=size, update=update, **settings), dim)


def residual(**settings: float) -> ResidualVQ:
    config = ResidualConfig(**{"codebook_size": 8, "n_codebooks": EVERY} | settings)
    return ResidualVQ(config, DIM)
