"""Quantizers of all kinds, held against the torch modules that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_bottlenecks import DIM, TABLE, make
from tiny_models import randomised

from vqaudio.config.model import ModelConfig
from vqaudio.inference.base import Quantizer
from vqaudio.inference.quantizers import build_quantizer
from vqaudio.model.bottleneck import Bottleneck, build_bottleneck


def tensors_of(bottleneck: Bottleneck) -> dict[str, NDArray[np.float32]]:
    return {f"bottleneck.{name}": value.numpy() for name, value in bottleneck.state_dict().items()}


def config_of(name: str) -> ModelConfig:
    return ModelConfig(latent_dim=DIM, bottleneck=TABLE[name][1])


def pair(name: str) -> tuple[Bottleneck, Quantizer]:
    """A bottleneck with random weights, as a torch module and in numpy."""
    torch.manual_seed(5)
    bottleneck = randomised(make(name)).eval()
    return bottleneck, build_quantizer(config_of(name), tensors_of(bottleneck))


@pytest.mark.parametrize("frames", [1, 8, 13])
@pytest.mark.parametrize("name", TABLE)
@torch.no_grad()
def test_codes_and_latents_are_those_of_the_torch_module(name: str, frames: int) -> None:
    bottleneck, quantizer = pair(name)
    features = torch.randn(3, DIM, frames)
    tokens = quantizer.encode(features.numpy())
    expected = bottleneck.encode(features)
    assert all(codes.dtype == np.int64 for codes in tokens)
    assert [codes.tolist() for codes in tokens] == [codes.tolist() for codes in expected]
    if tokens:
        latents = quantizer.decode(tokens)
        assert latents.dtype == np.float32
        assert np.allclose(latents, bottleneck.decode(expected).numpy(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", TABLE)
@torch.no_grad()
def test_numbers_of_streams_are_those_of_the_torch_module(name: str) -> None:
    bottleneck, quantizer = pair(name)
    assert quantizer.streams == bottleneck.streams
    assert quantizer.min_streams == bottleneck.min_streams
    assert quantizer.has_code_costs == bottleneck.has_code_costs
    assert (quantizer.encode_span, quantizer.decode_span) == (bottleneck.encode_span, bottleneck.decode_span)
    features = torch.randn(2, DIM, 12)
    tokens = quantizer.encode(features.numpy())
    for count in range(len(tokens) + 2):
        some = [*tokens, np.zeros((2, 12), np.int64)][:count]
        if quantizer.min_streams <= count <= len(tokens):
            found, expected = quantizer.encode(features.numpy(), count), bottleneck.encode(features, count)
            assert [codes.tolist() for codes in found] == [codes.tolist() for codes in expected]
            assert np.allclose(
                quantizer.decode(some), bottleneck.decode([torch.from_numpy(codes) for codes in some]), atol=1e-5
            )
        else:
            with pytest.raises(ValueError, match="tokens"):
                quantizer.decode(some)


@pytest.mark.parametrize("name", TABLE)
def test_additive_codebooks_are_those_of_the_torch_module(name: str) -> None:
    bottleneck, quantizer = pair(name)
    found, expected = quantizer.additive_codebooks(), bottleneck.additive_codebooks()
    assert len(found) == len(expected)
    assert all(np.allclose(one, other.detach(), atol=1e-6) for one, other in zip(found, expected, strict=True))
    assert [codes.tolist() for codes in quantizer.stop_codes()] == [codes.tolist() for codes in bottleneck.stop_codes()]


@pytest.mark.parametrize("name", [name for name in TABLE if not make(name).has_code_costs])
def test_a_cost_is_refused_where_codes_have_none(name: str) -> None:
    with pytest.raises(ValueError, match="no cost"):
        pair(name)[1].encode(np.zeros((1, DIM, 4), np.float32), code_cost=0.1)


@pytest.mark.parametrize("name", [name for name in TABLE if make(name).streams])
def test_many_frames_are_coded_as_a_few_are(name: str) -> None:
    """More of them than are searched at once."""
    torch.manual_seed(6)
    settings = {"codebook_size": 4096} if hasattr(TABLE[name][1], "codebook_size") else {}
    config = ModelConfig(latent_dim=DIM, bottleneck=TABLE[name][1].model_copy(update=settings))
    quantizer = build_quantizer(config, tensors_of(randomised(build_bottleneck(config.bottleneck, DIM))))
    features = np.random.default_rng(0).standard_normal((2, DIM, 96)).astype(np.float32)
    whole = quantizer.encode(features)
    single = [quantizer.encode(one[None]) for one in features]
    for number, codes in enumerate(whole):
        assert np.array_equal(codes, np.concatenate([one[number] for one in single]))
