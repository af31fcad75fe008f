"""The Gaussian VAE's bottleneck: divergences and draws worked by hand, and two estimators of one gradient."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from vqaudio.config.bottleneck import GaussianConfig
from vqaudio.model.bottleneck import Gaussian
from vqaudio.model.bottleneck.base import score_function
from vqaudio.model.bottleneck.gaussian import divergence, log_density


def gaussian(dim: int, log_variance: float = 0.0, **settings: float | str) -> Gaussian:
    """One whose mean is the feature, and whose variance is the same everywhere."""
    bottleneck = Gaussian(GaussianConfig.model_validate(settings), dim)
    bottleneck.project.bias.data[dim:] = log_variance
    return bottleneck


# -------------------------------------------------------------------------------------------------------- divergences


@pytest.mark.parametrize(
    ("mean", "variance", "nats"),
    [(0.0, 1.0, 0.0), (1.0, 1.0, 0.5), (-2.0, 1.0, 2.0), (0.0, math.e, (math.e - 2) / 2), (3.0, 0.25, 4.818147)],
)
def test_divergences_by_hand(mean: float, variance: float, nats: float) -> None:
    found = divergence(torch.tensor(mean), torch.tensor(variance).log())
    assert float(found) == pytest.approx(nats, abs=1e-6)


def test_formulas_against_torch() -> None:
    mean, log_variance, latents = (torch.randn(3, 4, 5) for _ in range(3))
    normal = Normal(mean, (0.5 * log_variance).exp())
    expected = kl_divergence(normal, Normal(torch.zeros(()), torch.ones(())))
    assert torch.allclose(divergence(mean, log_variance), expected, atol=1e-5)
    assert torch.allclose(log_density(latents, mean, log_variance=log_variance), normal.log_prob(latents), atol=1e-5)


def test_the_loss_is_in_nats_per_frame() -> None:
    """Means 1 and 2 in one frame, 1 and 0 in the other; variance 1: ½ and 2, ½ and 0 nats."""
    bottleneck = gaussian(2, beta=0.1)
    passed = bottleneck(torch.tensor([[[1.0, 1.0], [2.0, 0.0]]]))
    assert float(passed.stats["kl"].detach()) == pytest.approx(1.5)
    assert float(passed.loss.detach()) == pytest.approx(0.15)


def test_free_bits_by_hand() -> None:
    """The first dimension costs ½ nat, below λ = 1; the second (4 + 0) / 2 = 2 a frame on average."""
    bottleneck = gaussian(2, beta=0.1, free_bits=1.0)
    features = torch.tensor([[[1.0, -1.0], [2.0, 2.0]]], requires_grad=True)
    passed = bottleneck(features)
    assert float(passed.loss.detach()) == pytest.approx(0.1 * (1.0 + 2.0))
    assert float(passed.stats["kl"].detach()) == pytest.approx(2.5)
    passed.loss.backward()
    assert features.grad is not None
    assert features.grad.flatten().tolist() == pytest.approx([0.0, 0.0, 0.1, 0.1])  # β μ over two frames


def test_units_that_never_move_are_not_active() -> None:
    features = torch.zeros(1, 3, 4)
    features[0, 0] = 5.0  # far, but always there
    features[0, 1] = torch.tensor([0.09, -0.09, 0.09, -0.09])
    features[0, 2] = torch.tensor([0.11, -0.11, 0.11, -0.11])
    assert float(gaussian(3)(features).stats["active_units"]) == 1.0


# -------------------------------------------------------------------------------------------------------------- draws


def test_it_begins_near_the_features() -> None:
    bottleneck, features = Gaussian(GaussianConfig(), 6).train(), torch.randn(4, 6, 200)
    noise = bottleneck(features).latents.detach() - features
    assert float(noise.std()) == pytest.approx(math.exp(-2.0), rel=0.05)
    assert torch.allclose(bottleneck.eval()(features).latents, features)


@pytest.mark.parametrize("estimator", ["pathwise", "score"])
def test_draws_have_the_mean_and_variance_of_the_posterior(estimator: str) -> None:
    bottleneck = gaussian(1, math.log(0.49), estimator=estimator).train()
    n = 40000
    latents = bottleneck(torch.full((n, 1, 1), 1.5)).latents.detach()
    assert float(latents.mean()) == pytest.approx(1.5, abs=5 * 0.7 / math.sqrt(n))
    assert float(latents.var()) == pytest.approx(0.49, abs=5 * 0.49 * math.sqrt(2 / n))


def test_the_pathwise_gradient_by_hand() -> None:
    """``z = μ + σ ε``: one for μ, and half of ``z - μ`` for the log-variance."""
    bottleneck = gaussian(1, 0.6, beta=0.0).train()
    features = torch.tensor([[[1.5]]], requires_grad=True)
    passed = bottleneck(features)
    passed.latents.sum().backward()
    assert features.grad is not None
    assert features.grad.item() == pytest.approx(1.0)
    assert float(bottleneck.project.bias.grad[1]) == pytest.approx(0.5 * (float(passed.latents.detach()) - 1.5))


def test_the_score_estimator_tells_the_log_probability_of_its_draw() -> None:
    bottleneck = gaussian(2, 0.4, estimator="score").train()
    features = torch.randn(3, 2, 5, requires_grad=True)
    passed = bottleneck(features)
    assert not passed.latents.requires_grad
    expected = Normal(features.detach(), math.exp(0.2)).log_prob(passed.latents).sum((1, 2))
    assert torch.allclose(passed.log_prob, expected, atol=1e-4)
    passed.log_prob.sum().backward()
    wanted = (passed.latents - features.detach()) / math.exp(0.4)  # ∂ log q / ∂μ = (z - μ) / σ²
    assert torch.allclose(features.grad, wanted, atol=1e-5)


# --------------------------------------------------------------------------------------------------------- estimators


def test_the_score_function_by_hand() -> None:
    """Costs 1, 2 and 6: baselines 4, 3.5 and 1.5; the value is 0 whatever they are."""
    log_prob = torch.tensor([0.3, -0.2, 0.9], requires_grad=True)
    value = score_function(torch.tensor([1.0, 2.0, 6.0]), log_prob)
    assert float(value.detach()) == 0.0
    value.backward()
    assert log_prob.grad.tolist() == pytest.approx([-3.0 / 3, -1.5 / 3, 4.5 / 3])
    alone = torch.tensor([0.3], requires_grad=True)
    score_function(torch.tensor([2.0]), alone).backward()
    assert alone.grad.item() == pytest.approx(2.0)


BETA, MEAN, LOG_VARIANCE = 0.3, -0.4, -0.5


def cost(latents: Tensor) -> Tensor:
    """What a latent may come to cost: not quadratic, and far from 0."""
    return 3.0 + torch.sin(2.0 * latents) + latents**2


def objective(mean: float, log_variance: float) -> float:
    """``E[cost(z)] + β KL`` by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    z = torch.from_numpy(mean + math.exp(log_variance / 2) * nodes)
    expected = float((torch.from_numpy(weights) * cost(z)).sum()) / math.sqrt(2 * math.pi)
    return expected + BETA * float(divergence(*torch.tensor([mean, log_variance], dtype=torch.double)))


def numerical_gradient(step: float = 1e-3) -> np.ndarray:
    by_mean = objective(MEAN + step, LOG_VARIANCE) - objective(MEAN - step, LOG_VARIANCE)
    by_variance = objective(MEAN, LOG_VARIANCE + step) - objective(MEAN, LOG_VARIANCE - step)
    return np.array([by_mean, by_variance]) / (2 * step)


def pathwise(latents: Tensor, log_prob: Tensor | None) -> Tensor:
    return cost(latents).mean()


def score(latents: Tensor, log_prob: Tensor) -> Tensor:
    return score_function(cost(latents), log_prob)


def score_without_baseline(latents: Tensor, log_prob: Tensor) -> Tensor:
    return (cost(latents) * log_prob).mean()


def gradients(how: Callable[[Tensor, Tensor], Tensor], n: int = 100000) -> np.ndarray:
    """The gradient of each of ``n`` draws with respect to the mean and the log-variance: ``(n, 2)``.

    Features are such that the first is the mean and the second the log-variance of one latent; another one is idle.
    """
    kind = "pathwise" if how is pathwise else "score"
    bottleneck = Gaussian(GaussianConfig(beta=BETA, estimator=kind), 2).train()
    bottleneck.project.weight.data = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    bottleneck.project.bias.data.zero_()
    features = torch.tensor([MEAN, LOG_VARIANCE]).repeat(n, 1)[..., None].requires_grad_()
    passed = bottleneck(features)
    (how(passed.latents[:, 0, 0], passed.log_prob) + passed.loss).backward()
    assert features.grad is not None
    return n * features.grad[..., 0].double().numpy()


@pytest.mark.parametrize("how", [pathwise, score, score_without_baseline])
def test_the_estimators_agree_with_a_numerical_gradient(how: Callable[[Tensor, Tensor], Tensor]) -> None:
    found = gradients(how)
    errors = found.mean(0) - numerical_gradient()
    assert (np.abs(errors) < 4 * found.std(0) / math.sqrt(len(found))).all()
    assert (np.abs(errors) < 0.1 * np.abs(numerical_gradient())).all(), "too few draws to tell"


def test_the_pathwise_estimator_varies_least_and_a_baseline_helps_the_other() -> None:
    by_path, by_score, bare = (gradients(how).var(0) for how in (pathwise, score, score_without_baseline))
    assert (1.5 * by_path < by_score).all()
    assert (1.5 * by_score < bare).all()
