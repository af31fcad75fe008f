"""What a run trains: everything that differs between the training of a codec, of a prior and of a model of series."""

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
        amount: what the batch holds: seconds of sound, or whatever else is counted where none is heard.
    """

    loss: Tensor
    logs: dict[str, Tensor]
    amount: float


@dataclass
class Extras:
    """What learns beside the model, by name: a resume state keeps it."""

    modules: dict[str, nn.Module] = field(default_factory=dict)
    optimizers: dict[str, Any] = field(default_factory=dict)


class Task(ABC):
    """One kind of run. ``model`` is what is trained, on the CPU until the trainer moves it.

    Attributes:
        model: the network, as it is saved.
        hours: of recordings to train on, where it is sound that is heard.
        speed: what logs call the amount of data for each second at work.
    """

    model: nn.Module
    hours: float
    speed = "audio_seconds_per_second"

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

    def record(self, amount: float) -> dict[str, float]:
        """For the record of a model's training: how much it has learned from, and how much there was.

        ``amount`` is the sum of all batches' amounts.
        """
        return {"hours_heard": round(amount / 3600.0, 2), "hours_of_recordings": round(self.hours, 2)}

    @abstractmethod
    def save(self, model: nn.Module, path: Path, *, record: dict[str, Any]) -> None:
        """Write a model for use, with a record of its training."""

    def close(self) -> None:  # noqa: B027 (likewise)
        """The run is over, well or not: let go of other processes."""

    def save_extras(self, path: Path) -> None:  # noqa: B027 (most have none)
        """Write what learned beside the model, for others to train against."""
