"""How weights move: parameter groups, the learning rate over a run, and a running average of the weights."""

from __future__ import annotations

import copy
import math
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from vqaudio.config import TrainConfig

M = TypeVar("M", bound=nn.Module)


def adamw(module: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov & Hutter, "Decoupled weight decay regularization", 2019), with decay for matrices only.

    Biases, norms and scales do not decay.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)


def learning_rate(config: TrainConfig, step: int, fraction: float) -> float:
    """Linear warm-up, then a cosine to ``final_learning_rate`` (Loshchilov & Hutter, "SGDR", 2017, eq. 5).

    ``fraction`` is the share of the run that is over, from 0 to 1.
    """
    top, last = config.learning_rate, config.final_learning_rate
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    return warm * (last + 0.5 * (top - last) * (1.0 + math.cos(math.pi * fraction)))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameter groups one learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate


class Average(Generic[M]):
    """An exponential moving average of a model: what is judged and kept, where a config asks for one.

    Weights and codebooks are averaged together: averaging one without the other would mismatch them.
    """

    def __init__(self, model: M, decay: float):
        self.model, self.decay = copy.deepcopy(model).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move by ``1 - decay`` towards ``model``."""
        for mean, now in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1.0 - self.decay)
            else:
                mean.copy_(now)
