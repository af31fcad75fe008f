"""Discriminators: shapes, losses by hand, and who learns from whom."""

from __future__ import annotations

import pytest
import torch
from conftest import waveforms
from lightning.fabric import Fabric
from torch import Tensor

from vqaudio.config import AdversarialConfig, TrainConfig, parse
from vqaudio.errors import ConfigError
from vqaudio.training.discriminator import (
    Adversary,
    Discriminators,
    PeriodDiscriminator,
    SpectrumDiscriminator,
    adversarial_loss,
    discriminator_loss,
    matching_loss,
    mean_verdict,
)

CONFIG = AdversarialConfig(windows=(256, 64), channels=4, start=0.5, learning_rate=3e-3)
ALL_KINDS = AdversarialConfig(
    windows=(256, 64), bands=(0.1, 0.5), periods=(2, 7), channels=2, loss="least_squares", start=0.5
)
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
    discriminator = SpectrumDiscriminator(256, 4)
    wave = sounds()
    loud, upside_down, quiet = (discriminator(sound)[0] for sound in (wave, -wave, 0.01 * wave))
    assert (loud - upside_down).abs().mean() > 0.1 * loud.abs().mean()
    assert quiet.abs().mean() > 0.1 * loud.abs().mean()  # compression: a hundredth of the amplitude is a quarter here


@pytest.mark.parametrize(("window", "edges"), [(256, ()), (256, (0.1, 0.25, 0.5, 0.75)), (16, (0.25,))])
def test_bands_cover_every_bin_once_and_have_their_own_layers(window, edges):
    discriminator = SpectrumDiscriminator(window, 4, edges)
    *features, verdicts = discriminator(sounds())
    assert len(features) == 5 * (len(edges) + 1) == len(discriminator.layers) - 1
    assert sum(first.shape[-1] for first in features[::5]) == window // 2 + 1  # no stride yet: one column for each bin
    assert sum(last.shape[-1] for last in features[4::5]) == verdicts.shape[-1]
    widths = [first.shape[-1] for first in features[::5]]
    assert [sum(widths[: i + 1]) for i in range(len(edges))] == [int(edge * (window // 2 + 1)) for edge in edges]


def test_a_band_hears_its_own_frequencies():
    """A tone moves the first features of the band that it lies in, and next to nothing in the other one."""
    discriminator = SpectrumDiscriminator(256, 4, (0.5,))
    times, silence = torch.arange(SAMPLES), discriminator(torch.zeros(1, SAMPLES))
    for bin_, own, other in ((16, 0, 5), (112, 5, 0)):
        heard = discriminator(torch.sin(2 * torch.pi * bin_ / 256 * times)[None])
        moved = [(heard[index] - silence[index]).abs().mean() for index in (own, other)]
        assert moved[0] > 10 * moved[1]


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
        ("bands", [0.5, 0.25], "ascending"),
        ("bands", [0.5, 0.5], "ascending"),
        ("bands", [0.0, 0.5], "ascending"),
        ("bands", [1.0], "ascending"),
        ("bands", [-0.5], "ascending"),
        ("bands", [0.01], "129 bins"),
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
    total, _ = ours.add_terms(estimate.sum(), {}, estimate, torch.zeros(2, SAMPLES))
    total.backward()
    assert torch.isfinite(estimate.grad).all()
    assert all(torch.isfinite(parameter).all() for parameter in ours.discriminators.parameters())


@pytest.mark.parametrize(
    ("change", "precision", "steps", "goal"),  # the goal: how far apart the loss wants the verdicts on real and made
    [
        ({}, "32-true", 25, 2.0),
        ({}, "bf16-mixed", 25, 2.0),
        ({"loss": "least_squares"}, "32-true", 60, 1.0),  # slower: it first takes all verdicts to one half
        ({"windows": (64,), "bands": (0.25,), "periods": (7,), "channels": 2}, "32-true", 25, 2.0),
    ],
)
def test_they_learn_to_tell_sounds_apart(change, precision, steps, goal):
    torch.manual_seed(0)
    ours = adversary(CONFIG.model_copy(update={"learning_rate": 1e-2, **change}), precision)
    logs = [ours.step(0.1 * torch.randn(2, SAMPLES), sounds(index), 0.5) for index in range(steps)]
    assert logs[-1]["discriminator"] < 0.75 * logs[0]["discriminator"]
    assert logs[-1]["verdict_real"] > logs[-1]["verdict_made"] + goal / 4
    _, terms = ours.add_terms(torch.zeros(()), {}, sounds(0), sounds(0))
    _, worse = ours.add_terms(torch.zeros(()), {}, torch.randn(2, SAMPLES), sounds(0))
    assert terms["adversarial"] < worse["adversarial"]
    assert terms["feature_matching"] < worse["feature_matching"]
