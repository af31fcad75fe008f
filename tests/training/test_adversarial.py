"""Adversarial training: losses by hand, and who learns from whom."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from tiny_discriminators import ALL_KINDS, CONFIG, SAMPLES, sounds
from torch import Tensor

from vqaudio.config.training import AdversarialConfig, TrainConfig
from vqaudio.training.adversarial import (
    Adversary,
    GradientNorms,
    adversarial_loss,
    discriminator_loss,
    feature_matching_loss,
    mean_logit,
)
from vqaudio.training.state import load_state, save_state


def fabric(precision: str = "32-true") -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=precision)


def adversary(config: AdversarialConfig = CONFIG, precision: str = "32-true") -> Adversary:
    return Adversary(TrainConfig(), config, fabric=fabric(precision))


def place(seed: int = 1) -> Tensor:
    """Two waveforms that may move."""
    return sounds(seed).requires_grad_(True)


def learn(ours: Adversary, rounds: int = 1) -> None:
    """Whole steps: which way to go, then the discriminators' own."""
    for index in range(rounds):
        at = place(index + 1)
        ours.gradient(at.square().mean(), at, estimate=at, target=sounds())
        ours.step(at, sounds(), fraction=0.5)


# ------------------------------------------------------------------------------------------------------------- losses


def output(features: float, logits: list[float]) -> list[Tensor]:
    return [torch.full((2, 1, 1, 1), features), torch.tensor(logits).view(2, 1, 1, 1)]


def test_losses_by_hand():
    real = [output(0, [2.0, 0.5]), output(0, [1.0, -1.0])]
    made = [output(0, [-2.0, 0.0]), output(0, [-0.5, 3.0])]
    # first: (0 + 0.5) / 2 + (0 + 1) / 2; second: (0 + 2) / 2 + (0.5 + 4) / 2
    assert discriminator_loss(real, made, loss="hinge").item() == pytest.approx((0.75 + 3.25) / 2)
    assert adversarial_loss(made, "hinge").item() == pytest.approx((1.0 - 1.25) / 2)
    assert mean_logit(made).item() == pytest.approx((-1.0 + 1.25) / 2)
    # first: (1 + 0.25) / 2 + (4 + 0) / 2; second: (0 + 4) / 2 + (0.25 + 9) / 2
    assert discriminator_loss(real, made, loss="least_squares").item() == pytest.approx((2.625 + 6.625) / 2)
    # first: (9 + 1) / 2; second: (2.25 + 4) / 2
    assert adversarial_loss(made, "least_squares").item() == pytest.approx((5.0 + 3.125) / 2)


def test_feature_matching_by_hand():
    real, made = [output(2.0, [0, 0]), output(-4.0, [0, 0])], [output(3.0, [9, 9]), output(-4.0, [9, 9])]
    assert feature_matching_loss(real, made).item() == pytest.approx((1 / 2 + 0) / 2)  # logits do not count
    assert feature_matching_loss(real, real) == 0


# ---------------------------------------------------------------------------------------------------- taking part


def test_they_begin_when_due_and_count_their_steps():
    ours = adversary()
    assert [ours.due(fraction) for fraction in (0.0, 0.49, 0.5, 1.0)] == [False, False, True, True]
    assert ours.steps == 0
    learn(ours, 3)
    assert ours.steps == 3


def test_gradients_move_the_model_and_not_the_discriminators():
    ours = adversary()
    at = place()
    gradient, terms = ours.gradient(at.square().mean(), at, estimate=at, target=sounds())
    assert gradient.shape == at.shape
    assert torch.isfinite(gradient).all()
    assert sorted(terms) == ["adversarial", "feature_matching"]
    assert at.grad is None
    assert all(parameter.grad is None and parameter.requires_grad for parameter in ours.discriminators.parameters())


@pytest.mark.parametrize("pretrain_steps", [0, 5])
def test_the_reconstructions_graph_is_freed_with_its_gradient(pretrain_steps):
    """Spectra of all scales, of which discriminators need nothing."""
    ours = adversary(CONFIG.model_copy(update={"pretrain_steps": pretrain_steps}))
    at = place()
    loss = at.square().mean()
    _, terms = ours.gradient(loss, at, estimate=at, target=sounds())
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward()
    assert not any(term.requires_grad for term in terms.values())


def test_the_model_learns_from_none_before_they_have_learned_alone():
    ours = adversary(CONFIG.model_copy(update={"pretrain_steps": 2}))
    for step in range(3):
        at = place()
        gradient, terms = ours.gradient(at.square().mean(), at, estimate=at, target=sounds())
        alone = torch.equal(gradient, 2.0 * at.detach() / at.numel())
        assert (alone, not terms) == ((True, True) if step < 2 else (False, False))
        ours.step(at, sounds(), fraction=0.5)
    assert ours.norms.counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["adversarial", "feature_matching"])
def test_a_gradient_is_as_large_as_the_config_says(name):
    """In parts of the reconstruction's, whose own size is kept; here with the other one left out."""
    sizes = {"adversarial": 0.0, "feature_matching": 0.0} | {name: 0.25}
    ours = adversary(CONFIG.model_copy(update=sizes))
    at = place()
    gradient, _ = ours.gradient(at.square().mean(), at, estimate=at, target=sounds())
    plain = 2.0 * at.detach() / at.numel()
    added = (gradient - plain).norm(dim=1).mean()
    assert added.item() == pytest.approx(0.25 * plain.norm(dim=1).mean().item(), rel=1e-4)


def test_balance_by_hand():
    norms = GradientNorms(fabric(), decay=0.5)
    first = {
        "reconstruction": torch.tensor([[3.0, 4.0], [0.0, 1.0]]),  # norms 5 and 1
        "adversarial": torch.tensor([[0.0, 2.0], [0.0, 0.0]]),  # 2 and 0
        "feature_matching": torch.tensor([[6.0, 8.0], [0.0, 2.0]]),  # 10 and 2
    }
    sizes = {"reconstruction": 1.0, "adversarial": 0.5, "feature_matching": 0.25}
    found = norms.balance(first, sizes)  # factors 1, 0.5 * 3 / 1 and 0.25 * 3 / 6
    torch.testing.assert_close(found, torch.tensor([[3.75, 8.0], [0.0, 1.25]]))
    assert norms.norms.tolist() == pytest.approx([3.0, 1.0, 6.0])
    second = {name: torch.tensor([[1.0, 0.0], [1.0, 0.0]]) for name in first}
    found = norms.balance(second, sizes)  # a plain mean of two: 2, 1 and 3.5
    torch.testing.assert_close(found[:, 0], torch.full((2,), 1.0 + 0.5 * 2 / 1 + 0.25 * 2 / 3.5))
    norms.balance(second, sizes)  # from here on half of what was before: 1.5, 1 and 2.25
    assert norms.norms.tolist() == pytest.approx([1.5, 1.0, 2.25])
    assert norms.counts.tolist() == [3, 3, 3]


def test_a_gradient_of_nothing_stays_finite():
    nothing = {name: torch.zeros(2, 4) for name in GradientNorms.names}
    found = GradientNorms(fabric()).balance(nothing, dict.fromkeys(nothing, 1.0))
    assert found.tolist() == [[0.0] * 4] * 2


def moved(ours: Adversary) -> list[int]:
    """The discriminators whose weights a step moves."""
    before = [[parameter.clone() for parameter in one.parameters()] for one in ours.discriminators]
    learn(ours)
    return [
        index
        for index, (one, old) in enumerate(zip(ours.discriminators, before, strict=True))
        if any(not torch.equal(*pair) for pair in zip(one.parameters(), old, strict=True))
    ]


def test_those_drawn_depend_on_seed_and_step_alone():
    config = ALL_KINDS.model_copy(update={"discriminators_per_step": 2})
    drawn = []
    for _ in range(2):
        torch.manual_seed(len(drawn))
        ours = adversary(config)
        drawn.append([tuple(moved(ours)) for _ in range(8)])
        assert ours.steps == 8
    assert drawn[0] == drawn[1]
    assert all(len(pair) == 2 for pair in drawn[0])
    assert {index for pair in drawn[0] for index in pair} == {0, 1, 2, 3}
    assert len(set(drawn[0])) > 2


def test_one_that_was_left_out_does_not_make_up_for_it():
    """Each step draws anew: were steps counted by one discriminator, it would be drawn until it caught up."""
    ours = adversary(ALL_KINDS.model_copy(update={"discriminators_per_step": 1}))
    drawn = [moved(ours)[0] for _ in range(24)]
    expected = [int(np.random.default_rng([0, step]).choice(4, 1, replace=False)[0]) for step in range(24)]
    assert drawn == expected


def test_of_several_processes_all_take_part(monkeypatch):
    monkeypatch.setattr(Fabric, "world_size", 2)
    ours = adversary(ALL_KINDS.model_copy(update={"discriminators_per_step": 1}))
    assert [moved(ours) for _ in range(2)] == [[0, 1, 2, 3]] * 2
    assert ours.steps == 2


def test_they_go_on_from_a_saved_state_bit_for_bit(tmp_path):
    config = ALL_KINDS.model_copy(update={"discriminators_per_step": 2, "pretrain_steps": 1})

    def parts(ours: Adversary) -> tuple[dict[str, torch.nn.Module], dict[str, torch.optim.Optimizer]]:
        return {"discriminators": ours.discriminators, "gradient_norms": ours.norms}, {"optimizer": ours.optimizer}

    first, second = adversary(config), adversary(config)
    learn(first, 5)
    save_state(tmp_path / "state", parts(first)[0], optimizers=parts(first)[1], numbers={})
    load_state(tmp_path / "state", parts(second)[0], optimizers=parts(second)[1])
    assert second.steps == 5
    assert second.norms.counts.tolist() == [4, 4, 4]
    for ours in (first, second):
        learn(ours, 4)
    for one, other in zip(parts(first)[0].values(), parts(second)[0].values(), strict=True):
        for ours, theirs in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("config", "precision"), [(CONFIG, "32-true"), (ALL_KINDS, "bf16-mixed")])
def test_a_step_moves_the_discriminators_and_not_the_model(config, precision):
    ours = adversary(config, precision)
    before = [parameter.clone() for parameter in ours.discriminators.parameters()]
    estimate = sounds(1).requires_grad_(True)
    ours.step(estimate, sounds(), fraction=0.5)
    assert estimate.grad is None
    assert all(not torch.equal(old, new) for old, new in zip(before, ours.discriminators.parameters(), strict=True))


def test_their_rate_falls_to_nothing_at_the_end():
    ours = adversary()
    rates = []
    for fraction in (0.5, 0.75, 1.0):
        ours.step(sounds(1), sounds(), fraction=fraction)
        rates.append(ours.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([3e-3, 1.5e-3, 0.0])


def test_silence_gives_finite_gradients():
    ours = adversary()
    estimate = torch.zeros(2, SAMPLES, requires_grad=True)
    ours.step(estimate, torch.zeros(2, SAMPLES), fraction=0.5)
    gradient, _ = ours.gradient(estimate.sum(), estimate, estimate=estimate, target=torch.zeros(2, SAMPLES))
    assert torch.isfinite(gradient).all()
    assert all(torch.isfinite(parameter).all() for parameter in ours.discriminators.parameters())


@pytest.mark.parametrize(
    ("change", "precision", "steps", "goal"),  # the goal: how far apart the loss wants the logits on real and made
    [
        ({}, "32-true", 25, 2.0),
        ({}, "bf16-mixed", 25, 2.0),
        ({"loss": "least_squares"}, "32-true", 60, 1.0),  # slower: it first takes all logits to one half
        ({"windows": (64,), "periods": (7,), "channels": 2, "period_channels": 4}, "32-true", 25, 2.0),
    ],
)
def test_they_learn_to_tell_sounds_apart(change, precision, steps, goal):
    torch.manual_seed(0)
    ours = adversary(CONFIG.model_copy(update={"learning_rate": 1e-2, **change}), precision)
    logs = [ours.step(0.1 * torch.randn(2, SAMPLES), sounds(index), fraction=0.5) for index in range(steps)]
    assert logs[-1]["discriminator"] < 0.75 * logs[0]["discriminator"]
    assert logs[-1]["logit_real"] > logs[-1]["logit_fake"] + goal / 4
    terms, worse = (
        ours.gradient(sound.sum(), sound, estimate=sound, target=sounds(0))[1]
        for sound in (place(0), torch.randn(2, SAMPLES, requires_grad=True))
    )
    assert terms["adversarial"] < worse["adversarial"]
    assert terms["feature_matching"] < worse["feature_matching"]
