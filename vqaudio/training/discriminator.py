"""Discriminators over spectra and over periods, and the losses by which they and the model learn from each other.

Sources: the spectral networks follow Défossez et al., "High Fidelity Neural Audio Compression" (EnCodec), 2022, section
3.4 (complex spectra at several resolutions) and Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN"
(DAC), 2023, section 3.3 (bands); the periodic ones Kong et al., "HiFi-GAN", 2020, section 2.3. The losses are the hinge
loss of Lim & Ye, "Geometric GAN", 2017, that of Mao et al., "Least Squares Generative Adversarial Networks", 2017, and
feature matching.
"""

from __future__ import annotations

from itertools import chain
from typing import Literal

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from vqaudio.config import AdversarialConfig, TrainConfig
from vqaudio.layers import full_precision
from vqaudio.training.losses import compress, stft
from vqaudio.training.optimization import set_rate

# Of one discriminator, in float32: each layer's features (batch, channels, height, width), and last its verdicts
# (batch, 1, height, width). Height is time; width is frequency, or the place in a period.
Judgement = list[Tensor]
Loss = Literal["hinge", "least_squares"]

# -------------------------------------------------------------------------------------------------------- networks


class SpectrumDiscriminator(nn.Module):
    """Judges the spectrum at one resolution: small 2-D convolutions over time and frequency.

    Real and imaginary part are the two input channels, compressed (:func:`vqaudio.training.losses.compress`) so that
    quiet sounds and high frequencies count. Strides shorten the frequency axis, dilations widen the view over time.
    Each band has its own layers, up to the last one, which sees the bands' features side by side (DAC, section 3.3).

    ``edges``: where one band ends and the next begins, ascending, as fractions of the bandwidth; none: one band.
    """

    def __init__(self, window: int, channels: int, edges: tuple[float, ...] = ()):
        super().__init__()
        self.window = window
        self.edges = [int(edge * (window // 2 + 1)) for edge in edges]  # in bins
        bands = [layer for _ in range(len(edges) + 1) for layer in _band_layers(channels)]
        self.layers = nn.ModuleList([*bands, _convolution(channels, 1, (3, 3))])  # one band after the other

    def forward(self, waveform: Tensor) -> Judgement:
        """``(batch, samples)`` to features ``(batch, channels, frames, fewer bins)``, band by band, and verdicts."""
        with full_precision(waveform):
            spectrum = compress(stft(waveform.float(), self.window)).permute(0, 3, 1, 2)
        bands = spectrum.tensor_split(self.edges, dim=-1)
        depth = len(self.layers[:-1]) // len(bands)
        found = [_features(self.layers[depth * i : depth * (i + 1)], band) for i, band in enumerate(bands)]
        together = torch.cat([features[-1] for features in found], dim=-1)
        return [*chain.from_iterable(found), self.layers[-1](together).float()]


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

    def forward(self, waveform: Tensor) -> Judgement:
        """``(batch, samples)``, a period or more, to features ``(batch, channels, rows, period)`` and verdicts."""
        padded = functional.pad(waveform.float(), (0, -waveform.shape[-1] % self.period), mode="reflect")
        found = _features(self.layers[:-1], padded.reshape(len(padded), 1, -1, self.period))
        return [*found, self.layers[-1](found[-1]).float()]


class Discriminators(nn.ModuleList):
    """One discriminator for each window, then one for each period."""

    def __init__(self, config: AdversarialConfig):
        spectra = [SpectrumDiscriminator(window, config.channels, config.bands) for window in config.windows]
        super().__init__([*spectra, *(PeriodDiscriminator(period, config.channels) for period in config.periods)])

    def forward(self, waveform: Tensor) -> list[Judgement]:
        """``(batch, samples)`` to a judgement by each discriminator."""
        return [discriminator(waveform) for discriminator in self]


def _band_layers(channels: int) -> list[nn.Module]:
    dilated = [_convolution(channels, channels, (3, 9), (1, 2), 2**power) for power in range(3)]
    return [_convolution(2, channels, (3, 9)), *dilated, _convolution(channels, channels, (3, 3))]


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


# ---------------------------------------------------------------------------------------------------------- losses


def discriminator_loss(real: list[Judgement], made: list[Judgement], loss: Loss) -> Tensor:
    """What discriminators minimise, mean over them.

    Hinge: ``E max(0, 1 - D(x)) + E max(0, 1 + D(G(x)))`` (Lim & Ye, 2017). Least squares: ``E (D(x) - 1)^2 +
    E D(G(x))^2`` (Mao et al., 2017, without their halves, as HiFi-GAN, eq. 1).
    """
    pairs = [(r[-1], m[-1]) for r, m in zip(real, made, strict=True)]
    if loss == "hinge":
        return _mean([(1 - r).relu().mean() + (1 + m).relu().mean() for r, m in pairs])
    return _mean([(r - 1).square().mean() + m.square().mean() for r, m in pairs])


def adversarial_loss(made: list[Judgement], loss: Loss) -> Tensor:
    """What the model minimises, mean over discriminators: ``-E D(G(x))`` for hinge, ``E (D(G(x)) - 1)^2`` otherwise."""
    if loss == "hinge":
        return -mean_verdict(made)
    return _mean([(judgement[-1] - 1).square().mean() for judgement in made])


def mean_verdict(judgements: list[Judgement]) -> Tensor:
    """``E D(x)``, mean over discriminators: high for what they take for real."""
    return _mean([judgement[-1].mean() for judgement in judgements])


def matching_loss(real: list[Judgement], made: list[Judgement]) -> Tensor:
    """Mean absolute difference of features over their mean size, mean over layers and discriminators (EnCodec, 3.4)."""
    return _mean(
        [
            (m - r).abs().mean() / r.abs().mean().clamp(min=1e-6)
            for real_one, made_one in zip(real, made, strict=True)
            for r, m in zip(real_one[:-1], made_one[:-1], strict=True)
        ]
    )


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


# --------------------------------------------------------------------------------------------------- taking part


class Adversary:
    """The discriminators of a run, with their optimiser: they begin late, and learn in turn with the model.

    Waveforms are ``(batch, samples)``.
    """

    def __init__(self, run: TrainConfig, config: AdversarialConfig, fabric: Fabric):
        self.config, self.fabric, self.clip_norm = config, fabric, run.clip_norm
        self.discriminators = Discriminators(config)
        optimizer = torch.optim.AdamW(self.discriminators.parameters(), lr=config.learning_rate, betas=run.betas)
        self.network, self.optimizer = fabric.setup(self.discriminators, optimizer)

    @property
    def started(self) -> bool:
        """Whether the discriminators have learned anything, in this process or in the one that it resumes."""
        return bool(self.optimizer.state)

    def due(self, fraction: float) -> bool:
        """Whether they take part when ``fraction`` of the run is over."""
        return fraction >= self.config.start

    def add_terms(
        self, total: Tensor, terms: dict[str, Tensor], estimate: Tensor, target: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """A loss and its terms, with what the discriminators make the model minimise added.

        Gradients reach the estimate but not the discriminators, which are therefore called without the wrapper that
        shares their gradients between processes.
        """
        self.discriminators.requires_grad_(False)
        with self.fabric.autocast():
            made = self.discriminators(estimate)
            with torch.no_grad():
                real = self.discriminators(target)
        self.discriminators.requires_grad_(True)
        own = {"adversarial": adversarial_loss(made, self.config.loss), "feature_matching": matching_loss(real, made)}
        for name, term in own.items():
            total = total + getattr(self.config, name) * term
        return total, terms | own

    def step(self, estimate: Tensor, target: Tensor, fraction: float) -> dict[str, Tensor]:
        """Teach the discriminators to tell the two apart; their rate falls linearly to 0 at the end of the run."""
        set_rate(self.optimizer, self.config.learning_rate * (1.0 - fraction) / max(1.0 - self.config.start, 1e-9))
        judgements = self.network(torch.cat([target, estimate.detach()]))
        real, made = ([[part.chunk(2)[index] for part in one] for one in judgements] for index in range(2))
        loss = discriminator_loss(real, made, self.config.loss)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.network, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        return {"discriminator": loss, "verdict_real": mean_verdict(real), "verdict_made": mean_verdict(made)}
