"""Bottlenecks behind one contract (:mod:`vqaudio.model.bottleneck.base`)."""

from __future__ import annotations

from vqaudio.config.bottleneck import (
    BottleneckConfig,
    FSQConfig,
    GaussianConfig,
    GroupedConfig,
    HierarchicalConfig,
    IdentityConfig,
    ResidualConfig,
)
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput
from vqaudio.model.bottleneck.fsq import FSQ
from vqaudio.model.bottleneck.gaussian import Gaussian
from vqaudio.model.bottleneck.grouped import GroupedVQ
from vqaudio.model.bottleneck.hierarchical import HierarchicalVQ
from vqaudio.model.bottleneck.identity import Identity
from vqaudio.model.bottleneck.residual import ResidualVQ
from vqaudio.model.bottleneck.vq import VQ

__all__ = [
    "FSQ",
    "VQ",
    "Bottleneck",
    "BottleneckOutput",
    "Gaussian",
    "GroupedVQ",
    "HierarchicalVQ",
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
        return HierarchicalVQ(config, dim)
    return VQ(config, dim)
