"""Discriminators of spectra and of periods.

Sources: the spectral networks follow Défossez et al., "High Fidelity Neural Audio Compression" (EnCodec), 2022, section
3.4 (complex spectra at several resolutions); the periodic ones Kong et al., "HiFi-GAN", 2020, section 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from vqaudio.config.training import AdversarialConfig
from vqaudio.model.layers import full_precision
from vqaudio.training.losses import compress, stft

DiscriminatorOutput = list[Tensor]
"""Of one discriminator, in float32: each layer's features ``(batch, channels, height, width)``, and last its logits
``(batch, 1, height, width)``. Height is time; width is frequency, or the place in a period."""


class SpectrumDiscriminator(nn.Module):
    """Judges the spectrum at one resolution: small 2-D convolutions over time and frequency.

    Three input channels: real and imaginary part, compressed (:func:`vqaudio.training.losses.compress`) so that quiet
    sounds and high frequencies count, and the logarithm of the power, which shows what is missing between harmonics.
    The frequency axis is shortened at once, so that many channels are cheap; dilations widen the view over time. The
    lowest and the highest 128th of the band are left out: little else holds a model there, so that what it is taught
    about them it overdoes, until they drown everything.
    """

    def __init__(self, window: int, channels: int):
        super().__init__()
        self.window, self.margin = window, max(1, window // 256)  # margin: bins
        layers = [
            _convolution(3, channels, (3, 9), (1, 4)),
            _convolution(channels, channels, (3, 5), (1, 2)),
            _convolution(channels, channels, (3, 5), (1, 2), 2),
            _convolution(channels, channels, (3, 3), (1, 1), 4),
        ]
        self.layers = nn.ModuleList([*layers, _convolution(channels, 1, (3, 3))])
        for parameter in self.parameters():  # in this layout bfloat16 is many times as quick on a CPU
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, waveform: Tensor) -> DiscriminatorOutput:
        """``(batch, samples)`` to features ``(batch, channels, frames, fewer bins)`` and logits."""
        with full_precision(waveform):
            spectrum = stft(waveform.float(), self.window)[..., self.margin : -self.margin]
            power = spectrum.real.square() + spectrum.imag.square()
            log_power = 0.1 * (power + 1e-7).log() + 0.5
            image = torch.cat([compress(spectrum), log_power[..., None]], -1).permute(0, 3, 1, 2)
        found = _features(self.layers[:-1], image.contiguous(memory_format=torch.channels_last))
        return [*found, self.layers[-1](found[-1]).float()]


class PeriodDiscriminator(nn.Module):
    """Judges samples one period apart: the waveform is folded into rows of ``period``, and no layer mixes columns.

    Widths are 1, 4, 16, 32 and 32 times ``channels``, which with 32 of them are HiFi-GAN's (2020, section 2.3).
    """

    def __init__(self, period: int, channels: int):
        super().__init__()
        self.period = period
        widths = [1, *(channels * factor for factor in (1, 4, 16, 32, 32))]
        steps = zip(widths, widths[1:], (3, 3, 3, 3, 1), strict=False)
        layers = [_convolution(inputs, outputs, (5, 1), (stride, 1)) for inputs, outputs, stride in steps]
        self.layers = nn.ModuleList([*layers, _convolution(widths[-1], 1, (3, 1))])

    def forward(self, waveform: Tensor) -> DiscriminatorOutput:
        """``(batch, samples)``, a period or more, to features ``(batch, channels, rows, period)`` and logits."""
        padded = functional.pad(waveform.float(), (0, -waveform.shape[-1] % self.period), mode="reflect")
        found = _features(self.layers[:-1], padded.reshape(len(padded), 1, -1, self.period))
        return [*found, self.layers[-1](found[-1]).float()]


class Discriminators(nn.ModuleList):
    """One discriminator for each window, then one for each period."""

    def __init__(self, config: AdversarialConfig):
        spectra = [SpectrumDiscriminator(window, config.channels) for window in config.windows]
        super().__init__(
            [*spectra, *(PeriodDiscriminator(period, config.period_channels) for period in config.periods)]
        )

    def forward(self, waveform: Tensor, indices: Sequence[int] | None = None) -> list[DiscriminatorOutput]:
        """``(batch, samples)`` to the output of each discriminator, or of those with these ``indices`` alone."""
        return [self[index](waveform) for index in (range(len(self)) if indices is None else indices)]


def _convolution(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), dilation: int = 1
) -> nn.Module:
    """Over (height, width), weight-normalised (Salimans & Kingma, 2016), dilated in height; padded at both ends."""
    padding = (dilation * (kernel[0] // 2), kernel[1] // 2)
    module: nn.Module = weight_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding, (dilation, 1)))
    return module


def _features(layers: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """What each of the layers makes of the one before."""
    found = []
    for layer in layers:
        x = functional.leaky_relu(layer(x), 0.2)
        found.append(x.float())
    return found
