"""Bottlenecks behind one contract (:mod:`vqaudio.bottleneck.base`)."""

from __future__ import annotations

from vqaudio.bottleneck.base import Bottleneck, Bottlenecked
from vqaudio.bottleneck.identity import Identity
from vqaudio.bottleneck.residual import ResidualVQ
from vqaudio.bottleneck.vq import VQ
from vqaudio.config import BottleneckConfig, IdentityConfig, ResidualConfig

__all__ = ["VQ", "Bottleneck", "Bottlenecked", "Identity", "ResidualVQ", "build_bottleneck"]


def build_bottleneck(config: BottleneckConfig, dim: int) -> Bottleneck:
    """The bottleneck that a config describes, for features of ``dim`` channels."""
    if isinstance(config, IdentityConfig):
        return Identity()
    if isinstance(config, ResidualConfig):
        return ResidualVQ(config, dim)
    return VQ(config, dim)
