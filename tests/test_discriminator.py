"""Discriminators: shapes, losses by hand, and who learns from whom."""

from __future__ import annotations

import pytest
import torch
from conftest import waveforms
from lightning.fabric import Fabric
from torch import Tensor

from vqaudio.config import AdversarialConfig, TrainConfig
from vqaudio.training.discriminator import (
    Adversary,
    Discriminator,
    Discriminators,
    adversarial_loss,
    discriminator_loss,
    matching_loss,
)

CONFIG = AdversarialConfig(windows=(256, 64), channels=4, start=0.5, learning_rate=3e-3)
SAMPLES = 1024


def sounds(seed: int = 0) -> Tensor:
    """Two waveforms ``(2, SAMPLES)``."""
    return waveforms(2, SAMPLES, seed)[:, 0]


def adversary(config: AdversarialConfig = CONFIG, precision: str = "32-true") -> Adversary:
    return Adversary(TrainConfig(), config, Fabric(accelerator="cpu", devices=1, precision=precision))


# ----------------------------------------------------------------------------------------------------------- networks


def test_each_window_has_a_discriminator_that_looks_at_a_spectrum():
    judgements = Discriminators(CONFIG)(sounds())
    assert len(judgements) == 2
    for judgement, window in zip(judgements, CONFIG.windows, strict=True):
        frames = SAMPLES // (window // 4) - 3
        *features, verdicts = judgement
        widths = [feature.shape[-1] for feature in features]
        assert widths[0] == window // 2 + 1
        assert widths[1:4] == [-(-widths[0] // 2), -(-widths[0] // 4), -(-widths[0] // 8)]
        assert all(feature.shape[:3] == (2, 4, frames) for feature in features)
        assert verdicts.shape == (2, 1, frames, widths[-1])


def test_phase_and_quiet_sounds_are_visible():
    discriminator = Discriminator(256, 4)
    wave = sounds()
    loud, upside_down, quiet = (discriminator(sound)[0] for sound in (wave, -wave, 0.01 * wave))
    assert (loud - upside_down).abs().mean() > 0.1 * loud.abs().mean()
    assert quiet.abs().mean() > 0.1 * loud.abs().mean()  # compression: a hundredth of the amplitude is a quarter here


# ------------------------------------------------------------------------------------------------------------- losses


def judgement(features: float, verdicts: list[float]) -> list[Tensor]:
    return [torch.full((2, 1, 1, 1), features), torch.tensor(verdicts).view(2, 1, 1, 1)]


def test_hinge_losses_by_hand():
    real = [judgement(0, [2.0, 0.5]), judgement(0, [1.0, -1.0])]
    made = [judgement(0, [-2.0, 0.0]), judgement(0, [-0.5, 3.0])]
    # first: (0 + 0.5) / 2 + (0 + 1) / 2; second: (0 + 2) / 2 + (0.5 + 4) / 2
    assert discriminator_loss(real, made).item() == pytest.approx((0.75 + 3.25) / 2)
    assert adversarial_loss(made).item() == pytest.approx((1.0 - 1.25) / 2)


def test_feature_matching_by_hand():
    real, made = [judgement(2.0, [0, 0]), judgement(-4.0, [0, 0])], [judgement(3.0, [9, 9]), judgement(-4.0, [9, 9])]
    assert matching_loss(real, made).item() == pytest.approx((1 / 2 + 0) / 2)  # verdicts do not count
    assert matching_loss(real, real) == 0


# ---------------------------------------------------------------------------------------------------- taking part


def test_they_begin_when_due_and_have_started_when_they_have_learned():
    ours = adversary()
    assert [ours.due(fraction) for fraction in (0.0, 0.49, 0.5, 1.0)] == [False, False, True, True]
    assert not ours.started
    ours.step(sounds(1), sounds(), 0.5)
    assert ours.started


def test_terms_move_the_model_and_not_the_discriminators():
    ours = adversary()
    estimate = sounds(1).requires_grad_(True)
    base = estimate.square().mean()
    total, terms = ours.add_terms(base, {"mel": base}, estimate, sounds())
    assert sorted(terms) == ["adversarial", "feature_matching", "mel"]
    expected = base + CONFIG.adversarial * terms["adversarial"] + CONFIG.feature_matching * terms["feature_matching"]
    torch.testing.assert_close(total, expected)
    terms["feature_matching"].backward()
    assert torch.isfinite(estimate.grad).all()
    assert estimate.grad.abs().max() > 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in ours.discriminators.parameters())


def test_a_step_moves_the_discriminators_and_not_the_model():
    ours = adversary()
    before = [parameter.clone() for parameter in ours.discriminators.parameters()]
    estimate = sounds(1).requires_grad_(True)
    ours.step(estimate, sounds(), 0.5)
    assert estimate.grad is None
    assert all(not torch.equal(old, new) for old, new in zip(before, ours.discriminators.parameters(), strict=True))


def test_their_rate_falls_to_nothing_at_the_end():
    ours = adversary()
    rates = []
    for fraction in (0.5, 0.75, 1.0):
        ours.step(sounds(1), sounds(), fraction)
        rates.append(ours.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([3e-3, 1.5e-3, 0.0])


def test_silence_gives_finite_gradients():
    ours = adversary()
    estimate = torch.zeros(2, SAMPLES, requires_grad=True)
    ours.step(estimate, torch.zeros(2, SAMPLES), 0.5)
    total, _ = ours.add_terms(estimate.sum(), {}, estimate, torch.zeros(2, SAMPLES))
    total.backward()
    assert torch.isfinite(estimate.grad).all()
    assert all(torch.isfinite(parameter).all() for parameter in ours.discriminators.parameters())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_they_learn_to_tell_sounds_apart(precision):
    ours = adversary(CONFIG.model_copy(update={"learning_rate": 1e-2}), precision)
    logs = [ours.step(0.1 * torch.randn(2, SAMPLES), sounds(index), 0.5) for index in range(25)]
    assert logs[-1]["discriminator"] < 0.75 * logs[0]["discriminator"]
    assert logs[-1]["verdict_real"] > logs[-1]["verdict_made"] + 0.5
    _, terms = ours.add_terms(torch.zeros(()), {}, sounds(0), sounds(0))
    _, worse = ours.add_terms(torch.zeros(()), {}, torch.randn(2, SAMPLES), sounds(0))
    assert terms["adversarial"] < worse["adversarial"]
    assert terms["feature_matching"] < worse["feature_matching"]
