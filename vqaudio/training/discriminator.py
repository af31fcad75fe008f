"""Discriminators over spectra and over periods, and the losses by which they and the model learn from each other.

Sources: the spectral networks follow Défossez et al., "High Fidelity Neural Audio Compression" (EnCodec), 2022, section
3.4 (complex spectra at several resolutions); the periodic ones Kong et al., "HiFi-GAN", 2020, section 2.3. The losses
are the hinge loss of Lim & Ye, "Geometric GAN", 2017, that of Mao et al., "Least Squares Generative Adversarial
Networks", 2017, and feature matching.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from vqaudio.config.training import AdversarialConfig, TrainConfig
from vqaudio.errors import ModelError
from vqaudio.files import open_input
from vqaudio.model.layers import full_precision
from vqaudio.training.losses import compress, stft
from vqaudio.training.optimization import set_rate

# Of one discriminator, in float32: each layer's features (batch, channels, height, width), and last its verdicts
# (batch, 1, height, width). Height is time; width is frequency, or the place in a period.
Judgement = list[Tensor]
Loss = Literal["hinge", "least_squares"]

# -------------------------------------------------------------------------------------------------------- networks


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

    def forward(self, waveform: Tensor) -> Judgement:
        """``(batch, samples)`` to features ``(batch, channels, frames, fewer bins)`` and verdicts."""
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

    def forward(self, waveform: Tensor) -> Judgement:
        """``(batch, samples)``, a period or more, to features ``(batch, channels, rows, period)`` and verdicts."""
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

    def forward(self, waveform: Tensor, chosen: Sequence[int] | None = None) -> list[Judgement]:
        """``(batch, samples)`` to a judgement by each discriminator, or by those that are ``chosen`` alone."""
        return [self[index](waveform) for index in (range(len(self)) if chosen is None else chosen)]


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


class GradientNorms(nn.Module):
    """Moving averages of the norms of gradients at the waveform, by the loss that they are of."""

    names = ("reconstruction", "adversarial", "feature_matching")
    norms: Tensor
    counts: Tensor

    def __init__(self, fabric: Fabric, decay: float = 0.99):
        super().__init__()
        self.fabric, self.decay = fabric, decay
        self.register_buffer("norms", torch.zeros(len(self.names)))
        self.register_buffer("counts", torch.zeros(len(self.names)))

    @torch.no_grad()
    def balance(self, gradients: dict[str, Tensor], sizes: dict[str, float]) -> Tensor:
        """The sum of gradients ``(batch, ...)``, all as large as the reconstruction's on average, times ``sizes``.

        Under DDP norms are means over all processes, which so keep equal ones.
        Source: Défossez et al., "High Fidelity Neural Audio Compression", 2022, section 3.4, "loss balancer".
        """
        for name, gradient in gradients.items():
            at = self.names.index(name)
            self.counts[at] += 1
            weight = (1.0 / self.counts[at]).clamp(min=1.0 - self.decay)  # a plain mean at first
            norm: Any = self.fabric.all_reduce(gradient.flatten(1).norm(dim=1).mean(), reduce_op="mean")
            self.norms[at].lerp_(norm, weight)
        scales = self.norms[0] / self.norms.clamp(min=1e-12)
        total = [sizes[name] * scales[self.names.index(name)] * gradient for name, gradient in gradients.items()]
        return torch.stack(total).sum(0)


class Adversary:
    """The discriminators of a run, with their optimiser: they begin late, and learn in turn with the model.

    Waveforms are ``(batch, samples)``.
    """

    def __init__(self, run: TrainConfig, config: AdversarialConfig, fabric: Fabric):
        self.config, self.fabric, self.clip_norm, self.seed = config, fabric, run.clip_norm, run.seed
        self.discriminators = Discriminators(config)
        if config.init_from is not None:
            self._start_from(Path(config.init_from))
        self.norms = GradientNorms(fabric).to(fabric.device)
        optimizer = torch.optim.AdamW(self.discriminators.parameters(), lr=config.learning_rate, betas=config.betas)
        self.network, self.optimizer = fabric.setup(self.discriminators, optimizer)
        self._chosen: list[int] | None = None

    def _start_from(self, path: Path) -> None:
        """Take the weights that another run has left."""
        try:
            with open_input(path) as file:
                found = from_bytes(file.read())
            self.discriminators.load_state_dict({name: tensor.float() for name, tensor in found.items()})
        except (SafetensorError, RuntimeError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise ModelError(
                f"adversarial.init_from: {path} holds no discriminators as this run has them ({reason}); name a run's "
                "discriminators.safetensors, and copy its config"
            ) from None

    @property
    def steps(self) -> int:
        """How often the discriminators have learned, in this process and in those that it resumes."""
        states = [self.optimizer.state.get(next(one.parameters()), {}) for one in self.discriminators]
        return sum(int(state.get("step", 0)) for state in states) // self._taking_part

    @property
    def _taking_part(self) -> int:
        """How many learn in each step; of several processes all do, which wait for the gradients of all parameters."""
        count = len(self.discriminators)
        return (
            count
            if self.config.discriminators_per_step is None or self.fabric.world_size > 1
            else self.config.discriminators_per_step
        )

    def due(self, fraction: float) -> bool:
        """Whether they take part when ``fraction`` of the run is over."""
        return fraction >= self.config.start

    def gradient(
        self, loss: Tensor, place: Tensor, estimate: Tensor, target: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Which way the waveforms at ``place`` are to move, and the terms of the discriminators.

        ``loss`` is that of the reconstruction, ``estimate`` what the discriminators are to hear of ``place``; both are
        functions of it. The gradients of all losses are added, each as large as the config says. They do not reach the
        discriminators, which are therefore called without the wrapper that shares their gradients between processes.
        """
        (reconstruction,) = torch.autograd.grad(loss, place, retain_graph=True)
        self._chosen = self._choose()
        if self.steps < self.config.pretrain_steps:
            return reconstruction, {}
        self.discriminators.requires_grad_(False)
        with self.fabric.autocast():
            made = self.discriminators(estimate, self._chosen)
            with torch.no_grad():
                real = self.discriminators(target, self._chosen)
        self.discriminators.requires_grad_(True)
        terms = {"adversarial": adversarial_loss(made, self.config.loss), "feature_matching": matching_loss(real, made)}
        gradients = {name: torch.autograd.grad(term, place, retain_graph=True)[0] for name, term in terms.items()}
        sizes = {"reconstruction": 1.0, **{name: getattr(self.config, name) for name in terms}}
        return self.norms.balance({"reconstruction": reconstruction, **gradients}, sizes), terms

    def _choose(self) -> list[int] | None:
        """Which discriminators take part in this step, the same in all processes; None: all of them."""
        count = len(self.discriminators)
        if self._taking_part == count:
            return None
        random = np.random.default_rng([self.seed, self.steps])
        return sorted(random.choice(count, self._taking_part, replace=False).tolist())

    def step(self, estimate: Tensor, target: Tensor, fraction: float) -> dict[str, Tensor]:
        """Teach the discriminators to tell the two apart; their rate falls linearly to 0 at the end of the run."""
        set_rate(self.optimizer, self.config.learning_rate * (1.0 - fraction) / max(1.0 - self.config.start, 1e-9))
        judgements = self.network(torch.cat([target, estimate.detach()]), self._chosen)
        real, made = ([[part.chunk(2)[index] for part in one] for one in judgements] for index in range(2))
        loss = discriminator_loss(real, made, self.config.loss)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.network, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        return {"discriminator": loss, "verdict_real": mean_verdict(real), "verdict_made": mean_verdict(made)}
