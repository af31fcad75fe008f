"""Discriminators over short-time spectra, and the losses by which they and the model learn from each other.

Sources: the networks follow Défossez et al., "High Fidelity Neural Audio Compression" (EnCodec), 2022, section 3.4
(complex spectra at several resolutions) and Kumar et al., "High-Fidelity Audio Compression with Improved RVQGAN" (DAC),
2023, section 3.3; the losses are the hinge loss of Lim & Ye, "Geometric GAN", 2017, and feature matching.
"""

from __future__ import annotations

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from vqaudio.config import AdversarialConfig, TrainConfig
from vqaudio.layers import full_precision
from vqaudio.training.losses import compress, stft
from vqaudio.training.optimization import set_rate

Judgement = list[Tensor]  # of one discriminator: each layer's features, and last its verdicts (batch, 1, frames, bins)


class Discriminator(nn.Module):
    """Judges the spectrum at one resolution: small 2-D convolutions over time and frequency.

    Real and imaginary part are the two input channels, compressed (:func:`vqaudio.training.losses.compress`) so that
    quiet sounds and high frequencies count. Strides shorten the frequency axis, dilations widen the view over time.
    """

    def __init__(self, window: int, channels: int):
        super().__init__()
        self.window = window
        layers = [_convolution(2, channels, (3, 9))]
        layers += [_convolution(channels, channels, (3, 9), stride=2, dilation=2**power) for power in range(3)]
        layers += [_convolution(channels, channels, (3, 3)), _convolution(channels, 1, (3, 3))]
        self.layers = nn.ModuleList(layers)

    def forward(self, waveform: Tensor) -> Judgement:
        """``(batch, samples)`` to features ``(batch, channels, frames, fewer bins)`` and verdicts, in float32."""
        with full_precision(waveform):
            x = compress(stft(waveform.float(), self.window)).permute(0, 3, 1, 2)
        found = []
        for layer in self.layers[:-1]:
            x = functional.leaky_relu(layer(x), 0.2)
            found.append(x.float())
        return [*found, self.layers[-1](x).float()]


def _convolution(inputs: int, outputs: int, kernel: tuple[int, int], stride: int = 1, dilation: int = 1) -> nn.Module:
    """Over (frames, bins), weight-normalised (Salimans & Kingma, 2016): strided in frequency, dilated in time."""
    padding = (dilation * (kernel[0] // 2), kernel[1] // 2)
    module: nn.Module = weight_norm(nn.Conv2d(inputs, outputs, kernel, (1, stride), padding, (dilation, 1)))
    return module


class Discriminators(nn.ModuleList):
    """One discriminator for each window."""

    def __init__(self, config: AdversarialConfig):
        super().__init__(Discriminator(window, config.channels) for window in config.windows)

    def forward(self, waveform: Tensor) -> list[Judgement]:
        """``(batch, samples)`` to a judgement by each discriminator."""
        return [discriminator(waveform) for discriminator in self]


def discriminator_loss(real: list[Judgement], made: list[Judgement]) -> Tensor:
    """``E max(0, 1 - D(x)) + E max(0, 1 + D(G(x)))``, mean over discriminators (Lim & Ye, 2017)."""
    return _mean([(1 - r[-1]).relu().mean() + (1 + m[-1]).relu().mean() for r, m in zip(real, made, strict=True)])


def adversarial_loss(made: list[Judgement]) -> Tensor:
    """``-E D(G(x))``, mean over discriminators (Lim & Ye, 2017)."""
    return _mean([-judgement[-1].mean() for judgement in made])


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
        own = {"adversarial": adversarial_loss(made), "feature_matching": matching_loss(real, made)}
        for name, term in own.items():
            total = total + getattr(self.config, name) * term
        return total, terms | own

    def step(self, estimate: Tensor, target: Tensor, fraction: float) -> dict[str, Tensor]:
        """Teach the discriminators to tell the two apart; their rate falls linearly to 0 at the end of the run."""
        set_rate(self.optimizer, self.config.learning_rate * (1.0 - fraction) / max(1.0 - self.config.start, 1e-9))
        judgements = self.network(torch.cat([target, estimate.detach()]))
        real, made = ([[part.chunk(2)[index] for part in one] for one in judgements] for index in range(2))
        loss = discriminator_loss(real, made)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.network, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        return {"discriminator": loss, "verdict_real": -adversarial_loss(real), "verdict_made": -adversarial_loss(made)}
