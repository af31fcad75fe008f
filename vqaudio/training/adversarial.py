"""Adversarial training: the losses by which discriminators and the model learn from each other, and their turns.

The losses are the hinge loss of Lim & Ye, "Geometric GAN", 2017, that of Mao et al., "Least Squares Generative
Adversarial Networks", 2017, and feature matching.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from torch import Tensor, nn

from vqaudio.config.training import AdversarialConfig, TrainConfig
from vqaudio.errors import ModelError
from vqaudio.files import open_input
from vqaudio.training.discriminator import DiscriminatorOutput, Discriminators
from vqaudio.training.optimization import set_rate

Loss = Literal["hinge", "least_squares"]


def discriminator_loss(real: list[DiscriminatorOutput], fake: list[DiscriminatorOutput], *, loss: Loss) -> Tensor:
    """What discriminators minimise, mean over them.

    Hinge: ``E max(0, 1 - D(x)) + E max(0, 1 + D(G(x)))`` (Lim & Ye, 2017). Least squares: ``E (D(x) - 1)^2 +
    E D(G(x))^2`` (Mao et al., 2017, without their halves, as HiFi-GAN, eq. 1).
    """
    pairs = [(r[-1], f[-1]) for r, f in zip(real, fake, strict=True)]
    if loss == "hinge":
        return _mean([(1 - r).relu().mean() + (1 + f).relu().mean() for r, f in pairs])
    return _mean([(r - 1).square().mean() + f.square().mean() for r, f in pairs])


def adversarial_loss(fake: list[DiscriminatorOutput], loss: Loss) -> Tensor:
    """What the model minimises, mean over discriminators: ``-E D(G(x))`` for hinge, ``E (D(G(x)) - 1)^2`` otherwise."""
    if loss == "hinge":
        return -mean_logit(fake)
    return _mean([(output[-1] - 1).square().mean() for output in fake])


def mean_logit(outputs: list[DiscriminatorOutput]) -> Tensor:
    """``E D(x)``, mean over discriminators: high for what they take for real."""
    return _mean([output[-1].mean() for output in outputs])


def feature_matching_loss(real: list[DiscriminatorOutput], fake: list[DiscriminatorOutput]) -> Tensor:
    """Mean absolute difference of features over their mean size, mean over layers and discriminators (EnCodec, 3.4)."""
    return _mean(
        [
            (f - r).abs().mean() / r.abs().mean().clamp(min=1e-6)
            for real_output, fake_output in zip(real, fake, strict=True)
            for r, f in zip(real_output[:-1], fake_output[:-1], strict=True)
        ]
    )


def _mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


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

    def __init__(self, run: TrainConfig, config: AdversarialConfig, *, fabric: Fabric):
        self.config, self.fabric, self.clip_norm, self.seed = config, fabric, run.clip_norm, run.seed
        self.discriminators = Discriminators(config)
        if config.init_from is not None:
            self._start_from(Path(config.init_from))
        self.norms = GradientNorms(fabric).to(fabric.device)
        optimizer = torch.optim.AdamW(self.discriminators.parameters(), lr=config.learning_rate, betas=config.betas)
        self.network, self.optimizer = fabric.setup(self.discriminators, optimizer)
        self._sampled: list[int] | None = None

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
        return sum(int(state.get("step", 0)) for state in states) // self._n_active

    @property
    def _n_active(self) -> int:
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
        self, loss: Tensor, waveform: Tensor, *, estimate: Tensor, target: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Which way a leaf ``waveform`` is to move, and the terms of the discriminators.

        ``loss`` is that of the reconstruction, ``estimate`` what the discriminators are to hear of the waveform; both
        are functions of it, and each has a graph of its own, which is freed as soon as its gradient is known. The
        gradients of all losses are added, each as large as the config says. They do not reach the discriminators, which
        are therefore called without the wrapper that shares their gradients between processes.
        """
        (reconstruction,) = torch.autograd.grad(loss, waveform)
        self._sampled = self._sample()
        if self.steps < self.config.pretrain_steps:
            return reconstruction, {}
        self.discriminators.requires_grad_(False)
        with self.fabric.autocast():
            fake = self.discriminators(estimate, self._sampled)
            with torch.no_grad():
                real = self.discriminators(target, self._sampled)
        self.discriminators.requires_grad_(True)
        terms = {
            "adversarial": adversarial_loss(fake, self.config.loss),
            "feature_matching": feature_matching_loss(real, fake),
        }
        gradients = {"reconstruction": reconstruction}
        for name, term in terms.items():
            (gradients[name],) = torch.autograd.grad(term, waveform, retain_graph=name != [*terms][-1])
        sizes = {"reconstruction": 1.0, **{name: getattr(self.config, name) for name in terms}}
        return self.norms.balance(gradients, sizes), {name: term.detach() for name, term in terms.items()}

    def _sample(self) -> list[int] | None:
        """Which discriminators take part in this step, the same in all processes; None: all of them."""
        count = len(self.discriminators)
        if self._n_active == count:
            return None
        random = np.random.default_rng([self.seed, self.steps])
        return sorted(random.choice(count, self._n_active, replace=False).tolist())

    def step(self, estimate: Tensor, target: Tensor, *, fraction: float) -> dict[str, Tensor]:
        """Teach the discriminators to tell the two apart; their rate falls linearly to 0 at the end of the run."""
        set_rate(self.optimizer, self.config.learning_rate * (1.0 - fraction) / max(1.0 - self.config.start, 1e-9))
        outputs = self.network(torch.cat([target, estimate.detach()]), self._sampled)
        real, fake = ([[part.chunk(2)[index] for part in one] for one in outputs] for index in range(2))
        loss = discriminator_loss(real, fake, loss=self.config.loss)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.network, self.optimizer, max_norm=self.clip_norm, error_if_nonfinite=False)
        self.optimizer.step()
        return {"discriminator": loss, "logit_real": mean_logit(real), "logit_fake": mean_logit(fake)}
