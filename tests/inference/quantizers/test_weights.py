"""Tensors that do not fit a config are named as they are in files."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from tiny_bottlenecks import DIM, TABLE, make

from vqaudio.config.model import ModelConfig
from vqaudio.inference.quantizers import build_quantizer

CASES = {
    "vq-ema": ("codebook.embedding", "codebook.entries", (8, DIM)),
    "residual-ema": ("codebooks.3.embedding", "codebooks.3.entries", (8, DIM)),
    "grouped": ("groups.2.codebooks.0.embedding", "groups.2.codebooks.0.entries", (8, 2)),
    "fsq": ("outward.bias", "outward.bias", (DIM,)),
    "hierarchical": ("downs.0.halve.weight", "downs.0.halve.weight", (DIM, DIM, 4)),
    "hierarchical-3": ("levels.1.up.scale", "levels.1.up.scale", (DIM,)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said(name: str) -> None:
    own, stored, shape = CASES[name]
    tensors = {f"bottleneck.{key}": value.numpy() for key, value in make(name).state_dict().items()}
    config = ModelConfig(latent_dim=DIM, bottleneck=TABLE[name][1])
    build_quantizer(config, tensors)
    wrong = tensors | {f"bottleneck.{own}": np.zeros((*shape, 2), np.float32)}
    expected = f"tensor bottleneck.{stored} has shape {(*shape, 2)}, expected {shape}"
    with pytest.raises(ValueError, match=re.escape(expected)):
        build_quantizer(config, wrong)
    del wrong[f"bottleneck.{own}"]
    with pytest.raises(ValueError, match=re.escape(f"tensor bottleneck.{stored} is missing")):
        build_quantizer(config, wrong)


def test_halves_are_searched_in_single_precision() -> None:
    torch.manual_seed(1)
    halves = {f"bottleneck.{key}": value.half().numpy() for key, value in make("residual-ema").state_dict().items()}
    quantizer = build_quantizer(ModelConfig(latent_dim=DIM, bottleneck=TABLE["residual-ema"][1]), halves)
    assert all(codebook.dtype == np.float32 for codebook in quantizer.additive_codebooks())
