"""Fixed transforms against what they are by definition, and the stretch of time that they see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import RATE, waveforms
from torch.nn import functional

from vqaudio.model.transforms import InverseSTFT, SpectralAnalysis

WINDOWS = [(64, 32), (64, 16), (96, 32), (90, 15)]  # 2, 4, 3 and 6 windows over each sample


def hann(window: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


# ---------------------------------------------------------------------------------------------------------- analysis


def test_analysis_of_a_sine_at_a_bin() -> None:
    """A Hann window turns an amplitude A into A N / 4, scaled by 2 / sqrt(N), and half of that at either neighbour."""
    window, hop, k, amplitude, phase = 64, 16, 8, 0.5, 0.7
    n = np.arange(20 * hop)
    sine = amplitude * np.cos(2 * np.pi * k * n / window + phase)
    made = SpectralAnalysis(window, hop).double()(torch.from_numpy(sine)[None, None])
    bins = window // 2 + 1
    assert made.shape == (1, 3 * bins, 20)
    real, imaginary, log_magnitude = made[0].split(bins)
    peak = amplitude * window**0.5 / 2
    for t in range(4, 16):
        angle = phase + 2 * np.pi * k * (t * hop - (window - hop) // 2) / window
        for index, height, turn in ((k, peak, 0.0), (k - 1, peak / 2, np.pi), (k + 1, peak / 2, np.pi)):
            wanted = height**0.3 * np.exp(1j * (angle + turn))
            assert complex(real[index, t], imaginary[index, t]) == pytest.approx(wanted, abs=1e-5)
            assert float(log_magnitude[index, t]) == pytest.approx(0.2 * np.log(height), abs=1e-5)
    assert float(log_magnitude[k + 5 :, 4:16].max()) < 0.2 * np.log(1e-4)


def test_analysis_of_silence_is_finite_in_value_and_gradient() -> None:
    silence = torch.zeros(1, 1, 320, requires_grad=True)
    made = SpectralAnalysis(64, 16)(silence)
    assert float(made[0, -1, 0].detach()) == pytest.approx(0.2 * np.log(1e-5))
    made.square().sum().backward()
    assert bool(torch.isfinite(silence.grad).all())


def test_analysis_is_a_strided_convolution() -> None:
    """The FFT takes the same sum as a convolution with windowed cosines and sines."""
    window, hop = 64, 16
    analysis = SpectralAnalysis(window, hop).double()
    sound = waveforms(2, 20 * hop).double()
    angle = 2 * np.pi * np.outer(np.arange(window // 2 + 1), np.arange(window)) / window
    basis = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann(window) * 2 / window**0.5
    padded = functional.pad(sound, (analysis.span.left, analysis.span.right))
    real, imaginary = functional.conv1d(padded, torch.from_numpy(basis)[:, None], stride=hop).chunk(2, dim=1)
    gain = (real.square() + imaginary.square() + 1e-10).pow(-0.35)
    made = analysis(sound)
    assert torch.allclose(made[:, : 2 * (window // 2 + 1)], torch.cat([real * gain, imaginary * gain], 1), atol=1e-5)


# --------------------------------------------------------------------------------------------------------- synthesis


def numpy_stft(signal: np.ndarray, window: int, hop: int) -> np.ndarray:
    """``(bins, frames)``; frame ``t`` is centred on the samples ``t * hop`` to ``(t + 1) * hop``."""
    before = (window - hop) // 2
    padded = np.pad(signal, (before, window))
    starts = range(0, len(signal), hop)
    return np.stack([np.fft.rfft(padded[start : start + window] * hann(window)) for start in starts], axis=1)


@pytest.mark.parametrize(("window", "hop"), WINDOWS)
def test_synthesis_inverts_a_consistent_spectrum(window: int, hop: int) -> None:
    signal = np.random.default_rng(0).uniform(-1, 1, 40 * hop)
    spectrum = torch.from_numpy(numpy_stft(signal, window, hop)).to(torch.complex64)
    made = InverseSTFT(window, hop)(spectrum[None])
    assert made.shape == (1, 1, 40 * hop)
    middle = slice(window, -window)
    assert np.abs(made[0, 0, middle].numpy() - signal[middle]).max() < 1e-5


@pytest.mark.parametrize(("window", "hop"), WINDOWS)
def test_synthesis_is_a_transposed_convolution(window: int, hop: int) -> None:
    bins, frames = window // 2 + 1, 9
    spectrum = torch.randn(2, bins, frames, dtype=torch.complex128)
    taper = hann(window)
    weight = np.full(bins, 2.0)
    weight[[0, -1]] = 1.0
    angle = 2 * np.pi * np.outer(np.arange(bins), np.arange(window)) / window
    basis = np.concatenate([np.cos(angle), -np.sin(angle)]) * np.tile(weight, 2)[:, None] * taper / window
    envelope = np.tile((taper**2).reshape(-1, hop).sum(0), frames + window // hop - 1)
    parts = torch.cat([spectrum.real, spectrum.imag], dim=1)
    full = functional.conv_transpose1d(parts, torch.from_numpy(basis)[:, None], stride=hop) / torch.from_numpy(envelope)
    start = (window - hop) // 2
    assert torch.allclose(
        InverseSTFT(window, hop).double()(spectrum), full[..., start : start + frames * hop], atol=1e-5
    )


@pytest.mark.parametrize(("window", "hop"), WINDOWS)
def test_synthesis_spans_the_frames_it_says(window: int, hop: int) -> None:
    synthesis = InverseSTFT(window, hop).double()
    spectrum = torch.randn(1, window // 2 + 1, 15, dtype=torch.complex128, requires_grad=True)
    made = synthesis(spectrum)
    made[0, 0, 7 * hop : 8 * hop].square().sum().backward()
    seen = spectrum.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (7 - synthesis.span.left, 7 + synthesis.span.right)


def test_a_sine_through_both_bases_keeps_its_pitch() -> None:
    """Analysis and synthesis agree on which bin is which frequency (Hz)."""
    window, hop, k = 64, 16, 8
    time = torch.arange(40 * hop) / RATE
    sine = torch.sin(2 * torch.pi * (k * RATE / window) * time)
    seen = SpectralAnalysis(window, hop)(sine[None, None])[0, 2 * (window // 2 + 1) :, 20]
    assert int(seen.argmax()) == k
    spectrum = torch.zeros(1, window // 2 + 1, 40, dtype=torch.complex64)
    turns = 2 * torch.pi * k * hop / window * torch.arange(40)
    spectrum[0, k] = torch.polar(torch.full((40,), window / 4), turns)
    made = InverseSTFT(window, hop)(spectrum)[0, 0, 10 * hop : 30 * hop]
    strongest = int(torch.fft.rfft(made).abs().argmax())
    assert strongest == k * len(made) // window
