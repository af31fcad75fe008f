"""Finite scalar quantization: levels, codes and gradients worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vqaudio.config.bottleneck import FSQConfig
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.errors import ConfigError
from vqaudio.model.bottleneck import FSQ


def unprojected(*levels: int) -> FSQ:
    return FSQ(FSQConfig(levels=levels), len(levels)).eval()


def frames(*values: float) -> Tensor:
    """One frame a value: ``(1, 1, frames)``."""
    return torch.tensor([[values]])


@pytest.mark.parametrize(
    ("levels", "features", "codes", "latents"),
    [
        # tanh reaches half of 1.001 at 0.549
        (3, (-9.0, -0.56, -0.54, 0.0, 0.54, 0.56, 9.0), [0, 0, 1, 1, 1, 2, 2], [-1, -1, 0, 0, 0, 1, 1]),
        # half a step lower: levels at -2, -1, 0 and 1, and 0 stays 0
        (4, (-9.0, -1.0, 0.0, 0.2, 0.6, 9.0), [0, 1, 2, 2, 3, 3], [-1, -0.5, 0, 0, 0.5, 0.5]),
        (5, (-9.0, -0.5, 0.0, 0.5, 9.0), [0, 1, 2, 3, 4], [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_levels_by_hand(levels: int, features: tuple[float, ...], codes: list[int], latents: list[float]) -> None:
    passed = unprojected(levels)(frames(*features))
    assert passed.tokens[0][0].tolist() == codes
    assert passed.latents[0, 0].tolist() == pytest.approx(latents)
    assert float(passed.loss) == 0.0


def test_codes_count_the_first_number_fastest() -> None:
    """Levels 4 and 3: the code is the first number's place plus four times the second's."""
    far = torch.tensor([[[9.0, -9.0, 0.0, -9.0], [-9.0, 9.0, 0.0, -9.0]]])
    assert unprojected(4, 3).encode(far)[0].tolist() == [[3 + 4 * 0, 0 + 4 * 2, 2 + 4 * 1, 0]]


@pytest.mark.parametrize("levels", [(3,), (4, 3, 5), (8, 5, 5, 5), (6, 7)])
def test_every_code_can_be_written_and_read(levels: tuple[int, ...]) -> None:
    """Features that come to stand on a code's levels, by the inverse of the bound, give that code."""
    bottleneck = unprojected(*levels)
    every = torch.arange(math.prod(levels))[None]
    latents = bottleneck.decode([every])
    assert len(latents[0].T.unique(dim=0)) == math.prod(levels)
    features = torch.empty_like(latents)
    for index, count in enumerate(levels):
        half, offset = (count - 1) * 1.001 / 2, 0.5 * (count % 2 == 0)
        steps = latents[:, index] * (count // 2)
        features[:, index] = torch.atanh((steps + offset) / half) - math.atanh(offset / half)
    assert torch.equal(bottleneck.encode(features)[0], every)


def test_the_gradient_passes_the_rounding_and_not_the_bound() -> None:
    features = frames(-1.5, 0.1, 0.7).requires_grad_()
    unprojected(5)(features).latents.sum().backward()
    slope = 2.0 * 1.001 * (1 - torch.tanh(features.detach()) ** 2) / 2.0
    assert torch.allclose(features.grad, slope)


def test_it_begins_with_the_directions_that_vary_most() -> None:
    """Three numbers that vary much and many that hardly do, turned at random; one shifted away from 0."""
    turn = torch.linalg.qr(torch.randn(12, 12)).Q
    sizes = torch.tensor([3.0, 2.0, 1.5] + [0.05] * 9)
    features = (torch.randn(4, 300, 12) * sizes @ turn + torch.arange(12.0)).transpose(1, 2)
    bottleneck = FSQ(FSQConfig(levels=(9, 9, 9)), 12).eval()
    variance = float((features - features.mean((0, 2), keepdim=True)).square().mean())

    def error() -> float:
        return float((bottleneck.decode(bottleneck.encode(features)) - features).square().mean().detach())

    assert error() > variance
    bottleneck.initialise(features)
    assert error() < 0.1 * variance
    used = bottleneck.encode(features)[0].unique()
    assert len(used) > 0.5 * 9**3


def test_nothing_to_begin_with_where_nothing_is_projected() -> None:
    bottleneck, features = unprojected(5, 5), torch.randn(1, 2, 50)
    before = bottleneck(features).latents
    bottleneck.initialise(features)
    assert torch.equal(bottleneck(features).latents, before)


def test_settings_that_cannot_be() -> None:
    for levels, said in (
        ([2, 3], r"bottleneck\.levels\.0: .*greater than or equal to 3"),
        ([], r"bottleneck\.levels: .*at least 1 item"),
        ([256, 257], "levels multiply to 65792 codes"),
        ([3] * 9, "levels has 9 numbers, above latent_dim 8"),
    ):
        with pytest.raises(ConfigError, match=said):
            parse(ModelConfig, {"latent_dim": 8, "bottleneck": {"kind": "fsq", "levels": levels}})
