"""What chooses codes, and what stands for them, in numpy alone: one quantizer for each kind of bottleneck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from vqaudio.config.bottleneck import (
    FSQConfig,
    GaussianConfig,
    GroupedConfig,
    HierarchicalConfig,
    IdentityConfig,
    ResidualConfig,
)
from vqaudio.config.model import ModelConfig
from vqaudio.inference.base import Quantizer
from vqaudio.inference.quantizers.fsq import FSQQuantizer
from vqaudio.inference.quantizers.grouped import GroupedQuantizer
from vqaudio.inference.quantizers.hierarchical import HierarchicalQuantizer
from vqaudio.inference.quantizers.residual import ResidualQuantizer
from vqaudio.inference.quantizers.unstored import UnstoredQuantizer
from vqaudio.inference.quantizers.vq import VQQuantizer
from vqaudio.inference.quantizers.weights import Weights


def build_quantizer(config: ModelConfig, tensors: Mapping[str, NDArray[Any]]) -> Quantizer:
    """The quantizer of a model, from its tensors by their names in the torch module.

    Raises:
        ValueError: a tensor is missing, or its shape does not fit the config.
    """
    bottleneck, dim = config.bottleneck, config.latent_dim
    weights = Weights(tensors, "bottleneck.")
    if isinstance(bottleneck, IdentityConfig | GaussianConfig):
        return UnstoredQuantizer(bottleneck)
    if isinstance(bottleneck, FSQConfig):
        return FSQQuantizer(bottleneck, weights, dim)
    if isinstance(bottleneck, GroupedConfig):  # before what it is a kind of
        return GroupedQuantizer(bottleneck, weights, dim)
    if isinstance(bottleneck, ResidualConfig):
        return ResidualQuantizer(bottleneck, weights, dim)
    if isinstance(bottleneck, HierarchicalConfig):
        return HierarchicalQuantizer(bottleneck, weights, dim)
    return VQQuantizer(bottleneck, weights, dim)
