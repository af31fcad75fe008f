"""Discriminators: what they look at, and in which shapes."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_discriminators import ALL_KINDS, CONFIG, SAMPLES, sounds
from torch import Tensor

from vqaudio.config.reading import parse
from vqaudio.config.training import AdversarialConfig
from vqaudio.errors import ConfigError
from vqaudio.training.discriminator import Discriminators, PeriodDiscriminator, SpectrumDiscriminator


def test_each_window_has_a_discriminator_that_looks_at_a_spectrum():
    outputs = Discriminators(CONFIG)(sounds())
    assert len(outputs) == 2
    for output, window in zip(outputs, CONFIG.windows, strict=True):
        frames = SAMPLES // (window // 4) - 3
        *features, logits = output
        width = -(-(window // 2 + 1 - 2 * max(1, window // 256)) // 4)
        half = -(-width // 2)
        quarter = -(-half // 2)
        assert [tuple(feature.shape) for feature in features] == [
            (2, 4, frames, bins) for bins in (width, half, quarter, quarter)
        ]
        assert logits.shape == (2, 1, frames, quarter)


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
    *features, logits = PeriodDiscriminator(period, 2)(wave)
    rows = -(-samples // period)
    heights = [rows := -(-rows // 3) for _ in range(4)]
    assert [tuple(feature.shape) for feature in features] == [
        (2, 2 * width, height, period)
        for width, height in zip((1, 4, 16, 32, 32), [*heights, heights[-1]], strict=True)
    ]
    assert logits.shape == (2, 1, heights[-1], period)
    (gradient,) = torch.autograd.grad(logits.sum(), wave, retain_graph=True)
    assert (gradient != 0).all()  # every sample is heard
    (column,) = torch.autograd.grad(logits[..., 0].sum(), wave)
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
    outputs = Discriminators(ALL_KINDS)(wave)
    assert len(outputs) == 4
    for output in outputs:
        for part in output:
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
