"""Bottlenecks behind one contract (:mod:`vqaudio.bottleneck.base`)."""

from __future__ import annotations

from vqaudio.bottleneck.base import Bottleneck, Bottlenecked, Choose
from vqaudio.bottleneck.fsq import FSQ
from vqaudio.bottleneck.gaussian import Gaussian
from vqaudio.bottleneck.grouped import GroupedVQ
from vqaudio.bottleneck.hierarchical import Hierarchical
from vqaudio.bottleneck.identity import Identity
from vqaudio.bottleneck.residual import ResidualVQ
from vqaudio.bottleneck.vq import VQ
from vqaudio.config import (
    BottleneckConfig,
    FSQConfig,
    GaussianConfig,
    GroupedConfig,
    HierarchicalConfig,
    IdentityConfig,
    ResidualConfig,
)

__all__ = [
    "FSQ",
    "VQ",
    "Bottleneck",
    "Bottlenecked",
    "Choose",
    "Gaussian",
    "GroupedVQ",
    "Hierarchical",
    "Identity",
    "ResidualVQ",
    "build_bottleneck",
]


def build_bottleneck(config: BottleneckConfig, dim: int) -> Bottleneck:
    """The bottleneck that a config describes, for features of ``dim`` channels."""
    if isinstance(config, IdentityConfig):
        return Identity()
    if isinstance(config, GaussianConfig):
        return Gaussian(config, dim)
    if isinstance(config, FSQConfig):
        return FSQ(config, dim)
    if isinstance(config, GroupedConfig):  # before what it is a kind of
        return GroupedVQ(config, dim)
    if isinstance(config, ResidualConfig):
        return ResidualVQ(config, dim)
    if isinstance(config, HierarchicalConfig):
        return Hierarchical(config, dim)
    return VQ(config, dim)
