"""Reconstruction losses: values worked out by hand, what they can and cannot hear, and their gradients."""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter

import pytest
import torch
from tiny_models import RATE, waveforms

from vqaudio.config.training import LossConfig
from vqaudio.errors import ConfigError
from vqaudio.training import losses
from vqaudio.training.losses import (
    COMPLEX_WINDOWS,
    MEL_ONLY,
    MEL_SCALES,
    BinWeights,
    ComplexLoss,
    MagnitudeLoss,
    MelLoss,
    RealFFT,
    ReconstructionLoss,
    Spectra,
    compress,
    sample_windows,
    stft,
    waveform_loss,
)

SAMPLES = 4096
FLAT = BinWeights("flat", RATE)


@pytest.fixture
def noise() -> torch.Tensor:
    """White noise fills every band, so no floor is in play: ``(2, SAMPLES)``."""
    return 0.1 * torch.randn(2, SAMPLES)


def spectra(waveform: torch.Tensor) -> Spectra:
    return {window: stft(waveform, window) for window, _ in MEL_SCALES}


def reconstruction_loss(**weights: float | bool) -> ReconstructionLoss:
    return ReconstructionLoss(LossConfig(**{"margin_seconds": 0.01} | weights), RATE)


# ------------------------------------------------------------------------------------------------------ known values


def test_equal_sounds_cost_nothing(noise):
    both = spectra(noise), spectra(noise)
    assert MelLoss(RATE)(*both) == 0
    assert waveform_loss(noise, noise) == 0
    assert MagnitudeLoss(FLAT)(*both) == 0
    assert ComplexLoss(FLAT)(*both).item() == pytest.approx(1e-4)  # what keeps its gradient finite here


@pytest.mark.parametrize("gain", [0.5, 2.0, 10.0])
def test_mel_loss_is_the_log_of_a_gain(noise, gain):
    assert MelLoss(RATE)(spectra(gain * noise), spectra(noise)).item() == pytest.approx(abs(math.log(gain)), abs=1e-4)


def test_mel_loss_stops_at_its_floor():
    silence, whisper = torch.zeros(1, SAMPLES), 1e-9 * torch.randn(1, SAMPLES)
    assert MelLoss(RATE)(spectra(silence), spectra(whisper)) == 0


def test_a_full_scale_sine_peaks_near_zero_in_the_mel_spectrum():
    sine = torch.sin(2 * torch.pi * 1000 * torch.arange(SAMPLES) / RATE)[None]
    loss = MelLoss(RATE)
    for window, _ in MEL_SCALES:
        assert abs(loss.log_mel(stft(sine, window), window).max().item()) < 1.0


@pytest.mark.parametrize("gain", [0.25, -1.0])
def test_complex_loss_of_a_gain(noise, gain):
    """``| c(gX) - c(X) | = | 1 - sign(g) |g|^0.3 | |X|^0.3``, averaged over bins and then over windows."""
    levels = [stft(noise, window).abs().pow(0.3).mean().item() for window in COMPLEX_WINDOWS]
    expected = abs(1 - math.copysign(abs(gain) ** 0.3, gain)) * sum(levels) / len(levels)
    assert ComplexLoss(FLAT)(spectra(gain * noise), spectra(noise)).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("gain", [0.25, -4.0])
def test_magnitude_loss_of_a_gain(noise, gain):
    """``| |gX|^0.3 - |X|^0.3 | = | |g|^0.3 - 1 | |X|^0.3``, averaged over bins and then over windows."""
    levels = [stft(noise, window).abs().pow(0.3).mean().item() for window in COMPLEX_WINDOWS]
    expected = abs(abs(gain) ** 0.3 - 1) * sum(levels) / len(levels)
    assert MagnitudeLoss(FLAT)(spectra(gain * noise), spectra(noise)).item() == pytest.approx(expected, rel=1e-3)


def test_erb_weights_by_hand():
    """At 1 kHz a band of the ear is 132.6 Hz wide, at 4 kHz 456.5 Hz (Glasberg & Moore, 1990); their mean is one."""
    weights = BinWeights("erb", 16000).get_buffer("bins_512")
    hertz = 16000 / 512
    ratio = weights[round(1000 / hertz)] / weights[round(4000 / hertz)]
    assert ratio.item() == pytest.approx(456.5 / 132.6, rel=1e-3)
    assert weights.mean().item() == pytest.approx(1.0, abs=1e-6)
    assert bool((FLAT.get_buffer("bins_512") == 1).all())


@pytest.mark.parametrize("kind", [MagnitudeLoss, ComplexLoss])
def test_erb_weights_move_the_loss_to_low_frequencies(kind, noise):
    rate = 16000
    flat, erb = (kind(BinWeights(weighting, rate)) for weighting in ("flat", "erb"))
    time = torch.arange(SAMPLES) / rate
    low, high = (noise + 0.05 * torch.sin(2 * math.pi * hertz * time) for hertz in (300.0, 7000.0))
    assert erb(spectra(low), spectra(noise)) > 2 * flat(spectra(low), spectra(noise))
    assert erb(spectra(high), spectra(noise)) < 0.5 * flat(spectra(high), spectra(noise))


def test_compression_keeps_phase_and_shrinks_magnitude():
    spectrum = torch.tensor([[[8.0 + 0.0j, 0.0 - 0.001j, -3.0 + 4.0j]]])
    made = torch.view_as_complex(compress(spectrum))
    torch.testing.assert_close(made.abs(), spectrum.abs().pow(0.3), rtol=5e-3, atol=0)
    torch.testing.assert_close(made.angle(), spectrum.angle())


def test_waveform_loss_is_the_difference_over_the_level():
    target = torch.tensor([[3.0, -3.0, 3.0, -3.0]])  # RMS 3
    assert waveform_loss(target + 1.5, target).item() == pytest.approx(0.5)


def test_stft_agrees_with_torch(noise):
    for window, _ in MEL_SCALES:
        taper = torch.hann_window(window)
        expected = torch.stft(noise, window, window // 4, window=taper, center=False, return_complex=True)
        torch.testing.assert_close(stft(noise, window), expected.transpose(1, 2) * (2 / window**0.5))


# ------------------------------------------------------------------------------------------------- what they can hear


def test_only_the_complex_and_waveform_losses_hear_phase(noise):
    upside_down = spectra(-noise)
    assert MelLoss(RATE)(upside_down, spectra(noise)).item() < 1e-5
    assert MagnitudeLoss(FLAT)(upside_down, spectra(noise)).item() < 1e-5
    assert ComplexLoss(FLAT)(upside_down, spectra(noise)).item() > 0.3
    assert waveform_loss(-noise, noise).item() > 1.0


def test_the_magnitude_loss_hears_a_tone_in_place_of_noise(noise):
    """A tone with the energy of a whole mel band is far from noise there, bin by bin."""
    tone = torch.sin(2 * math.pi * 0.31 * torch.arange(SAMPLES)).expand(2, -1) * noise.std() * 2**0.5
    assert MagnitudeLoss(FLAT)(spectra(tone), spectra(noise)) > 2 * MagnitudeLoss(FLAT)(
        spectra(noise.roll(99, -1)), spectra(noise)
    )


def test_quiet_sounds_count_as_much_as_loud_ones(noise):
    estimate = noise + 0.05 * torch.randn_like(noise)
    loud = MelLoss(RATE)(spectra(estimate), spectra(noise))
    quiet = MelLoss(RATE)(spectra(0.1 * estimate), spectra(0.1 * noise))
    torch.testing.assert_close(loud, quiet, rtol=1e-2, atol=0)
    torch.testing.assert_close(waveform_loss(0.1 * estimate, 0.1 * noise), waveform_loss(estimate, noise))
    loud = ComplexLoss(FLAT)(spectra(estimate), spectra(noise))
    quiet = ComplexLoss(FLAT)(spectra(0.1 * estimate), spectra(0.1 * noise))
    torch.testing.assert_close(quiet / loud, torch.tensor(0.1**0.3), rtol=2e-2, atol=0)


# ------------------------------------------------------------------------------------------------------- the whole sum


def test_terms_are_weighted_and_left_out():
    target, estimate = waveforms(2, SAMPLES), waveforms(2, SAMPLES, seed=1)
    total, terms = reconstruction_loss(mel=2.0, magnitude=4.0, complex=3.0, waveform=0.5)(estimate, target)
    assert sorted(terms) == ["complex", "magnitude", "mel", "waveform"]
    expected = 2.0 * terms["mel"] + 4.0 * terms["magnitude"] + 3.0 * terms["complex"] + 0.5 * terms["waveform"]
    torch.testing.assert_close(total, expected)
    total, terms = reconstruction_loss(mel=0, magnitude=0, complex=0, waveform=1.0)(estimate, target)
    assert list(terms) == ["waveform"]
    assert total == terms["waveform"]


def test_sampled_scales_are_the_full_loss_on_average(monkeypatch):
    target, estimate = waveforms(2, SAMPLES), waveforms(2, SAMPLES, seed=1)
    drawn = reconstruction_loss(waveform=0.5, sampled_scales=True)
    made = []
    for pair in itertools.product(COMPLEX_WINDOWS, MEL_ONLY):
        monkeypatch.setattr(losses, "sample_windows", lambda pair=pair: pair)
        made.append(drawn(estimate, target))
    assert len(made) == 6
    total, terms = reconstruction_loss(waveform=0.5)(estimate, target)
    torch.testing.assert_close(torch.stack([one for one, _ in made]).mean(), total)
    for name, term in terms.items():
        torch.testing.assert_close(torch.stack([parts[name] for _, parts in made]).mean(), term)
    assert len({float(one) for one, _ in made}) == 6


def test_all_pairs_of_scales_are_as_likely():
    drawn = Counter(sample_windows() for _ in range(600))
    assert sorted(drawn) == sorted(itertools.product(COMPLEX_WINDOWS, MEL_ONLY))
    assert all(60 < count < 140 for count in drawn.values())  # of 100 expected, more than four standard deviations


def test_scales_are_drawn_in_training_alone():
    target, estimate = waveforms(2, SAMPLES), waveforms(2, SAMPLES, seed=1)
    drawn = reconstruction_loss(sampled_scales=True)
    expected, _ = reconstruction_loss()(estimate, target)
    assert len({float(drawn(estimate, target)[0]) for _ in range(12)}) > 2
    assert drawn.eval()(estimate, target)[0] == expected


def test_the_ends_of_a_crop_are_left_out():
    target = waveforms(1, SAMPLES)
    estimate = target.clone()
    estimate[..., :160] = 0.9
    estimate[..., -160:] = -0.9
    loss = reconstruction_loss(waveform=1.0)
    assert loss.trim(target).shape == (1, SAMPLES - 320)
    assert loss(estimate, target)[1]["waveform"] == 0


def test_a_crop_that_is_too_short_is_named():
    target = waveforms(1, 2048)
    with pytest.raises(ConfigError, match=r"^data\.crop_seconds: crops have 2048 samples.* need 2368"):
        reconstruction_loss()(target, target)


def test_no_warnings_at_high_rates():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MelLoss(96000)


# ---------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("samples", [8, 16])
def test_the_gradient_of_the_fourier_transform(samples):
    frames = torch.randn(2, 3, samples, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(RealFFT.apply, (frames,))
    weights = torch.randn(samples // 2 + 1, dtype=torch.complex128)
    (ours,) = torch.autograd.grad((RealFFT.apply(frames) * weights).abs().sum(), frames)
    (theirs,) = torch.autograd.grad((torch.fft.rfft(frames) * weights).abs().sum(), frames)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("target", [torch.zeros(1, 1, SAMPLES), waveforms(1, SAMPLES)], ids=["silence", "sound"])
@pytest.mark.parametrize("estimate", ["silence", "target", "whisper"])
def test_gradients_are_finite_everywhere(target, estimate):
    start = {"silence": torch.zeros_like(target), "target": target, "whisper": 1e-12 * torch.randn_like(target)}
    made = start[estimate].clone().requires_grad_(True)
    total, _ = reconstruction_loss(waveform=1.0)(made, target)
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(made.grad).all()


def test_the_loss_leads_from_noise_to_the_target():
    target = waveforms(1, SAMPLES)
    made = (0.1 * torch.randn_like(target)).requires_grad_(True)
    loss, optimizer = reconstruction_loss(), torch.optim.Adam([made], lr=3e-2)
    values = []
    for _ in range(12):
        total, _ = loss(made, target)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert values[-1] < 0.8 * values[0]
