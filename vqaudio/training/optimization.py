"""How weights move: parameter groups, the learning rate over a run, and a running average of the weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from vqaudio.config.training import RunConfig
from vqaudio.errors import ConfigError, install

M = TypeVar("M", bound=nn.Module)

LARGEST_ROTATED = 512  # a rotation costs the cube of a side: of a 384 x 1152 matrix only the short one is rotated
ROTATE_EVERY = 10  # steps between new eigenbases


def make_optimizer(module: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """The optimiser that a config names, with weight decay for matrices only: biases, norms and scales do not decay.

    ``adamw``: Loshchilov & Hutter, "Decoupled weight decay regularization", 2019. ``soap``: Vyas et al., "SOAP:
    Improving and Stabilizing Shampoo using Adam", 2024: Adam in the eigenbasis of the gradients' second moments. Each
    matrix is rotated on its sides of up to ``LARGEST_ROTATED`` only; depthwise kernels and vectors are left to Adam.
    ``muon``: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, matrices' steps made
    orthogonal and as large as Adam's (Liu et al., "Muon is Scalable for LLM Training", 2025, eq. 4); the rest by AdamW.
    Hardly slower than AdamW on a GPU, where SOAP's many small operations take as long as the model.

    Raises:
        ConfigError: the package of the optimiser is not installed.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if config.optimizer == "adamw":
        groups = _groups(parameters, lambda p: p.ndim > 1, {"weight_decay": config.weight_decay}, {"weight_decay": 0.0})
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)
    try:
        from pytorch_optimizer import SOAP, Muon
    except ImportError:
        raise ConfigError(
            f"optimizer: {config.optimizer} needs the package pytorch-optimizer; {install('train')}"
        ) from None
    if config.optimizer == "muon":
        yes = {"use_muon": True, "use_adjusted_lr": True, "weight_decay": config.weight_decay}
        groups = _groups(parameters, _is_dense, yes, {"use_muon": False, "betas": config.betas})
        return Muon(groups, lr=config.learning_rate, adamw_lr=config.learning_rate)
    dense = {"weight_decay": config.weight_decay, "max_precondition_dim": LARGEST_ROTATED}
    groups = _groups(parameters, _is_dense, dense, {"weight_decay": 0.0, "max_precondition_dim": 1})
    return SOAP(groups, lr=config.learning_rate, betas=config.betas, precondition_frequency=ROTATE_EVERY)


def _is_dense(parameter: Tensor) -> bool:
    """A matrix, or a convolution's kernel, between many channels on both sides."""
    return parameter.ndim > 1 and min(parameter.shape[:2]) > 1


def _groups(
    parameters: list[nn.Parameter], chosen: Callable[[Tensor], bool], yes: dict[str, Any], no: dict[str, Any]
) -> list[dict[str, Any]]:
    return [
        {"params": [p for p in parameters if chosen(p)], **yes},
        {"params": [p for p in parameters if not chosen(p)], **no},
    ]


def learning_rate(config: RunConfig, step: int, *, fraction: float) -> float:
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


class WeightAverage(Generic[M]):
    """An exponential moving average of a model: what is judged and kept, where a config asks for one.

    Weights and codebooks are averaged together: averaging one without the other would mismatch them.
    """

    def __init__(self, model: M, decay: float):
        self.model, self.decay = copy.deepcopy(model).eval().requires_grad_(False), decay

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move by ``1 - decay`` towards ``model``."""
        means, values = list(self.model.state_dict().values()), list(model.state_dict().values())
        moving = [index for index, mean in enumerate(means) if mean.is_floating_point()]
        torch._foreach_lerp_([means[index] for index in moving], [values[index] for index in moving], 1.0 - self.decay)
        for index in set(range(len(means))) - set(moving):
            means[index].copy_(values[index])
