"""Reconstruction losses between waveforms ``(batch, 1, samples)``: each returns a scalar, 0 for equal sounds.

(The complex loss returns 1e-4 for them, which keeps its gradient finite there.)
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, cast

import torch
import torchaudio
from torch import Tensor, nn

from vqaudio.config.training import LossConfig
from vqaudio.errors import ConfigError

MEL_SCALES = ((2048, 80), (1024, 80), (512, 40), (256, 20), (128, 10))
COMPLEX_WINDOWS = (1024, 512, 256)
ALL_WINDOWS = tuple(window for window, _ in MEL_SCALES)
MEL_ONLY = tuple(window for window in ALL_WINDOWS if window not in COMPLEX_WINDOWS)
LONGEST_WINDOW = max(ALL_WINDOWS)

Spectra = dict[int, Tensor]  # by window length: complex (batch, frames, bins), see `stft`


class ReconstructionLoss(nn.Module):
    """The weighted sum of the terms that a config asks for, on the middle of each crop."""

    def __init__(self, config: LossConfig, sample_rate: int):
        super().__init__()
        self.config = config
        self.margin = round(config.margin_seconds * sample_rate)
        self.mel = MelLoss(sample_rate)
        bins = BinWeights(config.weighting, sample_rate)
        self.magnitude, self.complex = MagnitudeLoss(bins), ComplexLoss(bins)

    def forward(self, estimate: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum, and each unweighted term by name, for ``(batch, 1, samples)``.

        Raises:
            ConfigError: the crop is too short for the longest window.
        """
        estimate, target = self.trim(estimate), self.trim(target)
        windows = sample_windows() if self.config.sampled_scales and self.training else ALL_WINDOWS
        spectra, targets = ({window: stft(x, window) for window in windows} for x in (estimate, target))
        terms: dict[str, Tensor] = {}
        if self.config.mel:
            terms["mel"] = self.mel(spectra, targets)
        if self.config.magnitude:
            terms["magnitude"] = self.magnitude(spectra, targets)
        if self.config.complex:
            terms["complex"] = self.complex(spectra, targets)
        if self.config.waveform:
            terms["waveform"] = waveform_loss(estimate, target)
        total = sum((getattr(self.config, name) * term for name, term in terms.items()), estimate.new_zeros(()))
        return total, terms

    @torch.no_grad()
    def each(self, estimate: Tensor, target: Tensor) -> Tensor:
        """The sum of each item of a batch by itself, without gradient: ``(batch,)``."""
        pairs = zip(estimate[:, None], target[:, None], strict=True)
        return torch.stack([self(one, other)[0] for one, other in pairs])

    def trim(self, waveform: Tensor) -> Tensor:
        """The middle of crops ``(batch, 1, samples)``, where the model had sound on both sides: ``(batch, fewer)``."""
        samples = waveform.shape[-1] - 2 * self.margin
        if samples < LONGEST_WINDOW:
            raise ConfigError(
                f"data.crop_seconds: crops have {waveform.shape[-1]} samples, but the losses need "
                f"{LONGEST_WINDOW + 2 * self.margin} (loss.margin_seconds at both ends included): make it longer"
            )
        return waveform[:, 0, self.margin : self.margin + samples].float()


class MelLoss(nn.Module):
    """L1 between log-mel spectra at five window lengths, hop a quarter (natural log, floor 1e-5), mean over scales.

    Source: Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN", 2023, section 3.4.
    """

    floor = 1e-5

    def __init__(self, sample_rate: int):
        super().__init__()
        for window, bands in MEL_SCALES:
            with warnings.catch_warnings():  # at high rates the lowest bands fall between two bins: they stay empty
                warnings.filterwarnings("ignore", "At least one mel filterbank has all zero values")
                bank = torchaudio.functional.melscale_fbanks(window // 2 + 1, 0.0, sample_rate / 2, bands, sample_rate)
            self.register_buffer(f"bank_{window}", bank * window**-0.5, persistent=False)

    def log_mel(self, spectrum: Tensor, window: int) -> Tensor:
        """Complex ``(batch, frames, bins)`` to ``(batch, frames, bands)``; a full-scale sine peaks near 0."""
        return (spectrum.abs() @ self.get_buffer(f"bank_{window}")).clamp(min=self.floor).log()

    def forward(self, estimate: Spectra, target: Spectra) -> Tensor:
        """A scalar."""
        share = {window: 1.0 / len(estimate) for window in estimate}
        if len(estimate) < len(ALL_WINDOWS):  # sampled: each stands for its kind
            share = {
                window: len(MEL_ONLY if window in MEL_ONLY else COMPLEX_WINDOWS) / len(ALL_WINDOWS)
                for window in estimate
            }
        distances = [
            share[window] * (self.log_mel(estimate[window], window) - self.log_mel(target[window], window)).abs().mean()
            for window in estimate
        ]
        return torch.stack(distances).sum()


class BinWeights(nn.Module):
    """How much each bin of a short-time spectrum counts: all the same, or by how finely the ear resolves them.

    A weight of ``1 / ERB(f)`` lets each of the ear's bands count alike, where equal bins give half of the loss to what
    lies above 4 kHz. Source: Glasberg & Moore, "Derivation of auditory filter shapes from notched-noise data", 1990,
    eq. 3: ``ERB(f) = 24.7 (4.37 f / 1000 + 1)`` in Hz.
    """

    def __init__(self, weighting: Literal["flat", "erb"], sample_rate: int):
        super().__init__()
        for window in COMPLEX_WINDOWS:
            frequencies = torch.linspace(0.0, sample_rate / 2, window // 2 + 1)
            weights = torch.ones_like(frequencies)
            if weighting == "erb":
                weights = 1.0 / (24.7 * (4.37e-3 * frequencies + 1.0))
            self.register_buffer(f"bins_{window}", weights / weights.mean(), persistent=False)

    def mean(self, distances: Tensor, window: int) -> Tensor:
        """The weighted mean of ``(batch, frames, bins)``: a scalar."""
        return (distances.mean((0, 1)) * self.get_buffer(f"bins_{window}")).mean()


class MagnitudeLoss(nn.Module):
    """L1 between ``|X|^0.3`` of both sounds at three window lengths, for every bin by itself.

    Without it a model may give each mel band its energy as one steady tone: that is cheapest for :class:`ComplexLoss`
    where phases cannot be known, and no mel band can tell. Source: Braun & Tashev, 2021, eq. 6, first term.
    """

    def __init__(self, bins: BinWeights):
        super().__init__()
        self.bins = bins

    def forward(self, estimate: Spectra, target: Spectra) -> Tensor:
        """A scalar."""
        distances = []
        for window in _among(COMPLEX_WINDOWS, estimate):
            difference = compressed_magnitude(estimate[window]) - compressed_magnitude(target[window])
            distances.append(self.bins.mean(difference.abs(), window))
        return torch.stack(distances).mean()


class ComplexLoss(nn.Module):
    """Distance between the :func:`compress`-ed spectra at three window lengths: magnitude and phase at once."""

    def __init__(self, bins: BinWeights):
        super().__init__()
        self.bins = bins

    def forward(self, estimate: Spectra, target: Spectra) -> Tensor:
        """A scalar."""
        distances = []
        for window in _among(COMPLEX_WINDOWS, estimate):
            difference = compress(estimate[window]) - compress(target[window])
            distances.append(self.bins.mean((difference.square().sum(-1) + 1e-8).sqrt(), window))
        return torch.stack(distances).mean()


def sample_windows() -> tuple[int, int]:
    """One window of those that all losses use, and one of those of :class:`MelLoss` alone, all as likely.

    Their losses, weighted by how many windows each stands for, are those of all windows on average.
    """
    first, second = (kind[int(torch.randint(len(kind), ()))] for kind in (COMPLEX_WINDOWS, MEL_ONLY))
    return first, second


def _among(windows: tuple[int, ...], spectra: Spectra) -> list[int]:
    return [window for window in windows if window in spectra]


def waveform_loss(estimate: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference over the target's level: loud low harmonics weigh most, and with them their phase."""
    level = target.square().mean(-1, keepdim=True).sqrt().clamp(min=1e-3)
    return ((estimate - target) / level).abs().mean()


def compress(spectrum: Tensor, *, power: float = 0.3, floor: float = 1e-4) -> Tensor:
    """``|X|^0.3 exp(i arg X)``: complex ``(batch, frames, bins)`` to real and imaginary parts on a new last axis.

    Source: Braun & Tashev, "A consolidated view of loss functions for supervised deep learning-based speech
    enhancement", 2021, eq. 6.
    """
    parts = torch.view_as_real(spectrum)
    energy = parts.square().sum(-1, keepdim=True) + floor**2
    return parts * energy.pow((power - 1.0) / 2.0)


def compressed_magnitude(spectrum: Tensor, *, power: float = 0.3, floor: float = 1e-4) -> Tensor:
    """``|X|^0.3`` with a floor that keeps its gradient finite; shape as the spectrum's."""
    energy = torch.view_as_real(spectrum).square().sum(-1) + floor**2
    return energy.pow(power / 2.0)


def stft(waveform: Tensor, window: int) -> Tensor:
    """``(batch, samples)`` to complex ``(batch, frames, window // 2 + 1)``: hop a quarter, scale ``2 / window^0.5``.

    Frames lie wholly inside the waveform. They are put together from blocks of one hop, because the gradient of that is
    four additions, where the gradient of overlapping views is a scatter.
    """
    hop = window // 4
    count = waveform.shape[-1] // hop
    blocks = waveform[..., : count * hop].reshape(*waveform.shape[:-1], count, hop)
    frames = torch.cat([blocks[:, offset : count - 3 + offset] for offset in range(4)], dim=-1)
    taper = torch.hann_window(window, device=waveform.device) * (2.0 / window**0.5)
    return cast(Tensor, RealFFT.apply(frames * taper))  # type: ignore[no-untyped-call]


class RealFFT(torch.autograd.Function):
    """``torch.fft.rfft`` over an even number of samples, with a gradient that is a real inverse FFT.

    PyTorch's own gradient is a complex FFT of full length, which took a sixth of a training step.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor) -> Tensor:
        """``(..., samples)`` to complex ``(..., samples // 2 + 1)``."""
        ctx.length = frames.shape[-1]
        return cast(Tensor, torch.fft.rfft(frames))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """The gradient with respect to the frames."""
        # The inverse counts each bin but the first and last twice: once for itself, once for its mirror image.
        halved = gradient * 0.5
        halved[..., 0] = gradient[..., 0]
        halved[..., -1] = gradient[..., -1]
        return cast(Tensor, torch.fft.irfft(halved, n=ctx.length, norm="forward"))
