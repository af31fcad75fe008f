"""The beam over residual codebooks, held against the torch module's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.config.model import ModelConfig
from vqaudio.inference.base import Quantizer
from vqaudio.inference.quantizers import build_quantizer
from vqaudio.model.bottleneck import ResidualVQ

DIM = 16


def pair(**settings: int | bool) -> tuple[ResidualVQ, Quantizer]:
    """Codebooks that shrink from one to the next, with embeddings of zeros from the second on."""
    config = ResidualConfig(**{"codebook_size": 128, "n_codebooks": 5, "stop_codes": True, **settings})
    torch.manual_seed(3)
    bottleneck = ResidualVQ(config, DIM).eval()
    for level, book in enumerate(bottleneck.codebook_modules()):
        book.embedding.mul_(0.7**level)
        if level:
            book.embedding[5] = 0.0
    tensors = {f"bottleneck.{name}": value.numpy() for name, value in bottleneck.state_dict().items()}
    return bottleneck, build_quantizer(ModelConfig(latent_dim=DIM, bottleneck=config), tensors)


def objective(
    quantizer: Quantizer, features: Tensor, tokens: list[NDArray[np.int64]], code_cost: float
) -> NDArray[np.float64]:
    """Of each frame: the squared distance, and what its codes cost."""
    latents = quantizer.decode(tokens).astype(np.float64)
    spent = sum((book[codes] != 0).any(-1) for book, codes in zip(quantizer.additive_codebooks(), tokens, strict=False))
    return ((features.numpy() - latents) ** 2).sum(1) + code_cost * np.asarray(spent)


@pytest.mark.parametrize("code_cost", [0.0, 0.8])
@pytest.mark.parametrize("n_streams", [1, 2, 5])
@pytest.mark.parametrize("search", [1, 20])
def test_the_same_codes_are_found(search: int, n_streams: int, code_cost: float) -> None:
    """Where two sums are equally far, to rounding, either may be found."""
    bottleneck, quantizer = pair(search=search)
    features = 1.5 * torch.randn(3, DIM, 250)
    found = quantizer.encode(features.numpy(), n_streams, code_cost=code_cost)
    expected = [codes.numpy() for codes in bottleneck.encode_with_cost(features, n_streams, code_cost=code_cost)]
    differs = np.any([one != other for one, other in zip(found, expected, strict=True)], axis=0)
    assert differs.mean() < 0.01
    ours, theirs = (objective(quantizer, features, codes, code_cost) for codes in (found, expected))
    assert np.allclose(ours[differs], theirs[differs], rtol=1e-5)
    if code_cost and n_streams == 5:
        assert 0.01 < float((found[-1] == 5).mean()) < 0.99


def test_more_paths_come_nearer() -> None:
    features = torch.randn(1, DIM, 200)
    errors = []
    for search in (1, 10, 40):
        quantizer = pair(search=search)[1]
        errors.append(objective(quantizer, features, quantizer.encode(features.numpy()), 0.0).mean())
    assert errors[0] > 1.02 * errors[1] > 1.02 * errors[2]


@pytest.mark.parametrize("size", [8, 100])
def test_small_codebooks_have_fewer_ways_to_go_on(size: int) -> None:
    """Than there are paths: all are kept at first."""
    bottleneck, quantizer = pair(search=50, codebook_size=size)
    features = torch.randn(2, DIM, 40)
    found, expected = quantizer.encode(features.numpy()), bottleneck.encode(features)
    assert [codes.tolist() for codes in found] == [codes.tolist() for codes in expected]
