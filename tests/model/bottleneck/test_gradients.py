"""How gradients pass the choice of a code, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_bottlenecks import DIM, QUANTIZERS, make

from vqaudio.config.bottleneck import VQConfig
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.errors import ConfigError
from vqaudio.model.bottleneck import VQ
from vqaudio.model.bottleneck.gradients import gumbel_sample, rotation_trick, straight_through


def test_straight_through_by_hand() -> None:
    """The loss's gradient at the quantized values arrives at the features as it is."""
    features = torch.tensor([0.3, -1.2], requires_grad=True)
    quantized = torch.tensor([0.5, -1.0], requires_grad=True)
    latents = straight_through(features, quantized)
    assert latents.tolist() == pytest.approx([0.5, -1.0])
    (latents - torch.tensor([2.0, 1.0])).square().sum().backward()
    assert features.grad.tolist() == pytest.approx([2 * (0.5 - 2.0), 2 * (-1.0 - 1.0)])
    assert quantized.grad is None


@pytest.mark.parametrize("name", QUANTIZERS)
def test_features_get_the_gradient_of_the_latents(name: str) -> None:
    bottleneck = make(name).eval()
    features = torch.randn(2, DIM, 5, requires_grad=True)
    weight = torch.randn(2, DIM, 5)
    latents = bottleneck(features).latents
    latents.retain_grad()
    (weight * latents.pow(3)).sum().backward()
    assert torch.allclose(features.grad, latents.grad)
    assert torch.allclose(features.grad, 3 * weight * latents.detach().square())


def test_the_rotation_trick_against_its_matrix() -> None:
    """``R = I - 2 r rᵀ + 2 q eᵀ`` turns the feature onto its code, and the gradient comes back through ``R`` scaled."""
    features, quantized, gradient = (
        torch.randn(4, DIM, 1, requires_grad=True),
        torch.randn(4, DIM, 1),
        torch.randn(4, DIM),
    )
    made = rotation_trick(features, quantized)
    assert torch.equal(made, quantized)
    made.backward(gradient[..., None])
    assert features.grad is not None
    for z, target, given, got in zip(features.detach(), quantized, gradient, features.grad, strict=True):
        e, q = z[:, 0] / z.norm(), target[:, 0] / target.norm()
        r = (e + q) / (e + q).norm()
        turn = torch.eye(DIM) - 2 * torch.outer(r, r) + 2 * torch.outer(q, e)
        assert torch.allclose(turn @ turn.T, torch.eye(DIM), atol=1e-5)
        assert torch.allclose(turn @ e, q, atol=1e-5)
        assert torch.allclose(got[:, 0], target.norm() / z.norm() * turn.T @ given, atol=1e-5)


def test_codes_are_drawn_in_proportion() -> None:
    """Squared distances 0, log 2 and log 4: probabilities 4/7, 2/7 and 1/7, whatever the temperature."""
    n = 30000
    vectors, codebook = torch.full((n, 1), 0.5), 0.5 + torch.tensor([[0.0], [math.log(2)], [math.log(4)]]).sqrt()
    for temperature in (0.1, 1.0, 5.0):
        codes, _ = gumbel_sample(vectors, codebook, temperature=temperature)
        shares = torch.bincount(codes, minlength=3) / n
        assert shares.tolist() == pytest.approx([4 / 7, 2 / 7, 1 / 7], abs=4 * 0.5 / math.sqrt(n))


def test_the_gradient_of_a_draw_is_that_of_a_softmax() -> None:
    """``∂ Σ_k y_k w·e_k / ∂ d_j = -y_j (w·e_j - Σ_k y_k w·e_k) / τ``, and ``∂ d_j / ∂ z = 2 (z - e_j)``."""
    temperature, weight = 0.7, torch.randn(2)
    vectors, codebook = torch.randn(5, 2, requires_grad=True), torch.randn(4, 2)
    torch.manual_seed(5)
    codes, chosen = gumbel_sample(vectors, codebook, temperature=temperature)
    assert torch.allclose(chosen, codebook[codes], atol=1e-6)
    (chosen @ weight).sum().backward()
    torch.manual_seed(5)
    noise = -torch.empty(5, 4).exponential_().log()
    apart = vectors.detach()[:, None] - codebook
    logits = noise - apart.square().sum(-1)
    assert torch.equal(codes, logits.argmax(1))
    y, value = torch.softmax(logits / temperature, 1), codebook @ weight
    by_distance = -y * (value - (y @ value)[:, None]) / temperature
    assert torch.allclose(vectors.grad, (by_distance[..., None] * 2 * apart).sum(1), atol=1e-5)


def test_draws_rest_in_evaluation() -> None:
    bottleneck, features = VQ(VQConfig(codebook_size=16, gradient="gumbel"), 2), torch.randn(4, 2, 100)
    plain = VQ(VQConfig(codebook_size=16), 2).eval()
    plain.load_state_dict(bottleneck.state_dict())
    assert torch.equal(bottleneck.eval()(features).tokens[0], plain(features).tokens[0])
    assert not torch.equal(bottleneck.train()(features).tokens[0], plain(features).tokens[0])


@pytest.mark.parametrize("kind", ["residual", "grouped"])
def test_draws_are_for_one_codebook(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"bottleneck\.gradient: .*'straight_through' or 'rotation'"):
        parse(ModelConfig, {"bottleneck": {"kind": kind, "gradient": "gumbel"}})


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_features_learn_through_draws(update: str) -> None:
    """Features that shall be decoded as (1, 1) leave the entry at (-1, -1) for that at (1, 1)."""
    bottleneck = VQ(VQConfig(codebook_size=2, gradient="gumbel", update=update, commitment=0.0, revive_below=0.0), 2)
    start = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    bottleneck.codebook.embedding.data.copy_(start)
    features = torch.full((64, 2, 1), -0.3).requires_grad_()
    for _ in range(30):
        made = bottleneck.train()(features).latents
        bottleneck.codebook.embedding.data.copy_(start)  # they stay, so that only features can learn
        (gradient,) = torch.autograd.grad((made - 1.0).square().sum(), features)
        features = (features - 0.05 * gradient).detach().requires_grad_()
    assert bool((bottleneck.eval()(features).tokens[0] == 1).all())
