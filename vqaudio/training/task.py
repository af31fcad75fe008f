"""What a run trains: everything that differs between the training of a codec and that of a prior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric
from torch import Tensor, nn


@dataclass
class Batch:
    """What a task made of one batch.

    Attributes:
        loss: scalar, to minimise.
        logs: named scalars for logs.
        seconds: sound in the batch.
    """

    loss: Tensor
    logs: dict[str, Tensor]
    seconds: float


@dataclass
class Extras:
    """What learns beside the model, by name: a resume state keeps it."""

    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, Any] = field(default_factory=dict)


class Task(ABC):
    """One kind of run. ``model`` is what is trained, on the CPU until the trainer moves it.

    Attributes:
        model: the network, as it is saved.
        hours: of recordings to train on.
    """

    model: nn.Module
    hours: float

    def setup(self, fabric: Fabric) -> None:  # noqa: B027 (most have nothing else to set up)
        """The model is on its device; what else there is can be set up."""

    def extras(self) -> Extras:
        """What learns beside the model."""
        return Extras()

    def prepare(self, step: int, fraction: float) -> None:  # noqa: B027 (likewise)
        """Before a step; ``fraction`` of the run is over."""

    @abstractmethod
    def batch(self, network: nn.Module, step: int, *, rank: int, fraction: float) -> Batch:
        """The loss of the batch of a step and a rank; ``network`` is the model, wrapped for its processes."""

    def after(self, fraction: float) -> dict[str, Tensor]:
        """After the model's weights have moved; returns more for the logs."""
        return {}

    def keeps_now(self, fraction: float) -> bool:
        """Whether the model as it is now, before the next step, is to be kept beside the last one."""
        return False

    @abstractmethod
    def validate(self, model: nn.Module, fabric: Fabric, *, step: int) -> dict[str, float]:
        """Scores on what is kept for validation; ``model`` is the average where there is one."""

    @abstractmethod
    def summary(self, scores: dict[str, float]) -> str:
        """The main scores in one line."""

    @abstractmethod
    def save(self, model: nn.Module, path: Path, *, record: dict[str, Any]) -> None:
        """Write a model for use, with a record of its training."""

    def save_extras(self, path: Path) -> None:  # noqa: B027 (most have none)
        """Write what learned beside the model, for others to train against."""
