"""Discriminators: shapes, losses by hand, and who learns from whom."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from tiny_models import waveforms
from torch import Tensor

from vqaudio.config.reading import parse
from vqaudio.config.training import AdversarialConfig, TrainConfig
from vqaudio.errors import ConfigError
from vqaudio.training.discriminator import (
    Adversary,
    Discriminators,
    GradientNorms,
    PeriodDiscriminator,
    SpectrumDiscriminator,
    adversarial_loss,
    discriminator_loss,
    matching_loss,
    mean_verdict,
)
from vqaudio.training.state import load_state, save_state

CONFIG = AdversarialConfig(windows=(256, 64), channels=4, start=0.5, pretrain_steps=0, learning_rate=3e-3)
ALL_KINDS = CONFIG.model_copy(update={"periods": (2, 7), "channels": 2, "period_channels": 2, "loss": "least_squares"})
SAMPLES = 1024


def sounds(seed: int = 0) -> Tensor:
    """Two waveforms ``(2, SAMPLES)``."""
    return waveforms(2, SAMPLES, seed)[:, 0]


def fabric(precision: str = "32-true") -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=precision)


def adversary(config: AdversarialConfig = CONFIG, precision: str = "32-true") -> Adversary:
    return Adversary(TrainConfig(), config, fabric(precision))


def place(seed: int = 1) -> Tensor:
    """Two waveforms that may move."""
    return sounds(seed).requires_grad_(True)


def learn(ours: Adversary, rounds: int = 1) -> None:
    """Whole steps: which way to go, then the discriminators' own."""
    for index in range(rounds):
        at = place(index + 1)
        ours.gradient(at.square().mean(), at, at, sounds())
        ours.step(at, sounds(), 0.5)


# ----------------------------------------------------------------------------------------------------------- networks


def test_each_window_has_a_discriminator_that_looks_at_a_spectrum():
    judgements = Discriminators(CONFIG)(sounds())
    assert len(judgements) == 2
    for judgement, window in zip(judgements, CONFIG.windows, strict=True):
        frames = SAMPLES // (window // 4) - 3
        *features, verdicts = judgement
        width = -(-(window // 2 + 1 - 2 * max(1, window // 256)) // 4)
        half = -(-width // 2)
        quarter = -(-half // 2)
        assert [tuple(feature.shape) for feature in features] == [
            (2, 4, frames, bins) for bins in (width, half, quarter, quarter)
        ]
        assert verdicts.shape == (2, 1, frames, quarter)


def seen(discriminator: SpectrumDiscriminator, wave: Tensor) -> Tensor:
    """The picture that the first layer gets: ``(batch, 3, frames, bins)``."""
    found: list[Tensor] = []
    hook = discriminator.layers[0].register_forward_pre_hook(lambda _, given: found.append(given[0]))
    discriminator(wave)
    hook.remove()
    return found[0]


def test_a_tone_by_hand():
    """Amplitude A at a bin is A sqrt(N) / 2 there: compressed to the power 0.3, and a tenth of its log power + 0.5."""
    window, bin_, amplitude = 256, 20, 0.3
    tone = amplitude * torch.cos(2 * torch.pi * bin_ / window * torch.arange(SAMPLES))[None]
    picture = seen(SpectrumDiscriminator(window, 4), tone)
    assert picture.shape == (1, 3, SAMPLES // 64 - 3, 127)  # without the lowest and the highest bin
    height = amplitude * window**0.5 / 2
    real, imaginary, log_power = picture[0, :, :, bin_ - 1]
    torch.testing.assert_close(torch.hypot(real, imaginary), torch.full_like(real, height**0.3), rtol=1e-3, atol=0)
    torch.testing.assert_close(log_power, torch.full_like(real, 0.1 * math.log(height**2) + 0.5), rtol=0, atol=1e-4)
    away = picture[0, 2, :, bin_ + 19]
    torch.testing.assert_close(away, torch.full_like(away, 0.1 * math.log(1e-7) + 0.5), rtol=0, atol=0.02)


@pytest.mark.parametrize("window", [256, 1024])
def test_the_ends_of_the_band_are_not_looked_at(window):
    """A model that drowns everything at 0 Hz, or at half the sampling rate, learns nothing from it."""
    discriminator, sound = SpectrumDiscriminator(window, 4), sounds()
    alternating = torch.ones(SAMPLES)
    alternating[1::2] = -1.0
    before = seen(discriminator, sound)
    for loud in (torch.ones(SAMPLES), alternating):
        torch.testing.assert_close(seen(discriminator, sound + loud)[..., 3:-3], before[..., 3:-3], rtol=0, atol=0.02)


def test_phase_and_quiet_sounds_are_visible():
    discriminator = SpectrumDiscriminator(256, 4)
    wave = sounds()
    loud, upside_down, quiet = (discriminator(sound)[0] for sound in (wave, -wave, 0.01 * wave))
    assert (loud - upside_down).abs().mean() > 0.1 * loud.abs().mean()
    assert quiet.abs().mean() > 0.1 * loud.abs().mean()  # compression: a hundredth of the amplitude is a quarter here


def test_those_that_are_chosen_judge_as_among_all():
    network = Discriminators(ALL_KINDS)
    every = network(sounds())
    for ours, index in zip(network(sounds(), [1, 3]), (1, 3), strict=True):
        for part, expected in zip(ours, every[index], strict=True):
            assert torch.equal(part, expected)


@pytest.mark.parametrize(("period", "samples"), [(2, 1024), (3, 1024), (11, 1000), (7, 7)])
def test_a_period_has_a_discriminator_whose_columns_stay_apart(period, samples):
    wave = sounds()[:, :samples].requires_grad_(True)
    *features, verdicts = PeriodDiscriminator(period, 2)(wave)
    rows = -(-samples // period)
    heights = [rows := -(-rows // 3) for _ in range(4)]
    assert [tuple(feature.shape) for feature in features] == [
        (2, 2 * width, height, period)
        for width, height in zip((1, 4, 16, 32, 32), [*heights, heights[-1]], strict=True)
    ]
    assert verdicts.shape == (2, 1, heights[-1], period)
    (gradient,) = torch.autograd.grad(verdicts.sum(), wave, retain_graph=True)
    assert (gradient != 0).all()  # every sample is heard
    (column,) = torch.autograd.grad(verdicts[..., 0].sum(), wave)
    places = torch.arange(samples - period) % period  # the last row may hold reflected samples of other columns
    assert (column[:, : samples - period][:, places != 0] == 0).all()


def test_a_period_that_does_not_divide_the_length_is_filled_by_reflection():
    discriminator = PeriodDiscriminator(5, 2)
    wave = sounds()[:, :23]
    mirrored = torch.cat([wave, wave[:, 20:22].flip(-1)], dim=-1)
    for ours, expected in zip(discriminator(wave), discriminator(mirrored), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=0)


def test_each_discriminator_reaches_the_waveform():
    wave = sounds().requires_grad_(True)
    judgements = Discriminators(ALL_KINDS)(wave)
    assert len(judgements) == 4
    for judgement in judgements:
        for part in judgement:
            (gradient,) = torch.autograd.grad(part.square().mean(), wave, retain_graph=True)
            assert torch.isfinite(gradient).all()
            assert gradient.abs().max() > 0


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by torch's own tracer
def test_compiling_changes_nothing():
    network = Discriminators(ALL_KINDS)
    compiled = torch.compile(network, backend="eager")
    for ours, expected in zip(compiled(sounds()), network(sounds()), strict=True):
        torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("periods", [1], "greater than or equal to 2"),
        ("periods", [3, -2], "greater than or equal to 2"),
        ("windows", [], "at least 1 item"),
        ("windows", [50], "multiple of 4"),
        ("discriminators_per_step", 0, "greater than or equal to 1"),
        ("discriminators_per_step", 5, "discriminators_per_step is 5, but there are 4 discriminators"),
        ("pretrain_steps", -1, "greater than or equal to 0"),
        ("loss", "squares", "least_squares"),
    ],
)
def test_bad_configs_are_refused(key, value, words):
    with pytest.raises(ConfigError, match=words):
        parse(AdversarialConfig, {key: value})


# ------------------------------------------------------------------------------------------------------------- losses


def judgement(features: float, verdicts: list[float]) -> list[Tensor]:
    return [torch.full((2, 1, 1, 1), features), torch.tensor(verdicts).view(2, 1, 1, 1)]


def test_losses_by_hand():
    real = [judgement(0, [2.0, 0.5]), judgement(0, [1.0, -1.0])]
    made = [judgement(0, [-2.0, 0.0]), judgement(0, [-0.5, 3.0])]
    # first: (0 + 0.5) / 2 + (0 + 1) / 2; second: (0 + 2) / 2 + (0.5 + 4) / 2
    assert discriminator_loss(real, made, "hinge").item() == pytest.approx((0.75 + 3.25) / 2)
    assert adversarial_loss(made, "hinge").item() == pytest.approx((1.0 - 1.25) / 2)
    assert mean_verdict(made).item() == pytest.approx((-1.0 + 1.25) / 2)
    # first: (1 + 0.25) / 2 + (4 + 0) / 2; second: (0 + 4) / 2 + (0.25 + 9) / 2
    assert discriminator_loss(real, made, "least_squares").item() == pytest.approx((2.625 + 6.625) / 2)
    # first: (9 + 1) / 2; second: (2.25 + 4) / 2
    assert adversarial_loss(made, "least_squares").item() == pytest.approx((5.0 + 3.125) / 2)


def test_feature_matching_by_hand():
    real, made = [judgement(2.0, [0, 0]), judgement(-4.0, [0, 0])], [judgement(3.0, [9, 9]), judgement(-4.0, [9, 9])]
    assert matching_loss(real, made).item() == pytest.approx((1 / 2 + 0) / 2)  # verdicts do not count
    assert matching_loss(real, real) == 0


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
    gradient, terms = ours.gradient(at.square().mean(), at, at, sounds())
    assert gradient.shape == at.shape
    assert torch.isfinite(gradient).all()
    assert sorted(terms) == ["adversarial", "feature_matching"]
    assert at.grad is None
    assert all(parameter.grad is None and parameter.requires_grad for parameter in ours.discriminators.parameters())


def test_the_model_learns_from_none_before_they_have_learned_alone():
    ours = adversary(CONFIG.model_copy(update={"pretrain_steps": 2}))
    for step in range(3):
        at = place()
        gradient, terms = ours.gradient(at.square().mean(), at, at, sounds())
        alone = torch.equal(gradient, 2.0 * at.detach() / at.numel())
        assert (alone, not terms) == ((True, True) if step < 2 else (False, False))
        ours.step(at, sounds(), 0.5)
    assert ours.norms.counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["adversarial", "feature_matching"])
def test_a_gradient_is_as_large_as_the_config_says(name):
    """In parts of the reconstruction's, whose own size is kept; here with the other one left out."""
    sizes = {"adversarial": 0.0, "feature_matching": 0.0} | {name: 0.25}
    ours = adversary(CONFIG.model_copy(update=sizes))
    at = place()
    gradient, _ = ours.gradient(at.square().mean(), at, at, sounds())
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
    save_state(tmp_path / "state", *parts(first), {})
    load_state(tmp_path / "state", *parts(second))
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
    gradient, _ = ours.gradient(estimate.sum(), estimate, estimate, torch.zeros(2, SAMPLES))
    assert torch.isfinite(gradient).all()
    assert all(torch.isfinite(parameter).all() for parameter in ours.discriminators.parameters())


@pytest.mark.parametrize(
    ("change", "precision", "steps", "goal"),  # the goal: how far apart the loss wants the verdicts on real and made
    [
        ({}, "32-true", 25, 2.0),
        ({}, "bf16-mixed", 25, 2.0),
        ({"loss": "least_squares"}, "32-true", 60, 1.0),  # slower: it first takes all verdicts to one half
        ({"windows": (64,), "periods": (7,), "channels": 2, "period_channels": 4}, "32-true", 25, 2.0),
    ],
)
def test_they_learn_to_tell_sounds_apart(change, precision, steps, goal):
    torch.manual_seed(0)
    ours = adversary(CONFIG.model_copy(update={"learning_rate": 1e-2, **change}), precision)
    logs = [ours.step(0.1 * torch.randn(2, SAMPLES), sounds(index), 0.5) for index in range(steps)]
    assert logs[-1]["discriminator"] < 0.75 * logs[0]["discriminator"]
    assert logs[-1]["verdict_real"] > logs[-1]["verdict_made"] + goal / 4
    terms, worse = (
        ours.gradient(sound.sum(), sound, sound, sounds(0))[1]
        for sound in (place(0), torch.randn(2, SAMPLES, requires_grad=True))
    )
    assert terms["adversarial"] < worse["adversarial"]
    assert terms["feature_matching"] < worse["feature_matching"]
