"""Where a run runs: devices, processes, precision and loggers as a Lightning Fabric; and how processes keep in step."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.csv_logs import CSVLogger
from lightning.fabric.loggers.tensorboard import TensorBoardLogger
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch import distributed as dist

from vqaudio.bottleneck.vq import distributed
from vqaudio.config import RunConfig, TrainConfig
from vqaudio.errors import ConfigError, VqaudioError


def launch(config: RunConfig) -> Fabric:
    """Start the processes of a config, or join those that a launcher has started: from here on, all run the same code.

    Raises:
        ConfigError: this machine, or the launcher, has not what the config asks for.
    """
    devices, nodes = _processes(config)
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="auto" if (devices, nodes) == (1, 1) else _ddp(config),
            precision=config.precision,
            loggers=[CSVLogger(config.out, name="logs"), TensorBoardLogger(config.out, name="tensorboard")],
        )
        if not _by_fabric_run():
            fabric.launch()
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"cannot train with accelerator {config.accelerator!r}, devices {devices}, nodes {nodes} and precision "
            f"{config.precision!r}: {reason}"
        ) from None
    return fabric


def _by_fabric_run() -> bool:
    """Under ``fabric run``, Fabric has launched by itself, and reads by itself what it was told there."""
    return "LT_CLI_USED" in os.environ


def _processes(config: RunConfig) -> tuple[int | str, int]:
    """Processes on each machine, and machines: what the launcher says, else what the config says."""
    if _by_fabric_run():
        return "auto", 1
    if torch.distributed.is_torchelastic_launched():
        here, everywhere = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        return here, everywhere // here
    return config.devices, config.nodes


def _ddp(config: RunConfig) -> Any:
    """Data parallelism; codebooks keep themselves equal, so buffers need not be sent at every step."""
    return DDPStrategy(find_unused_parameters=_some_idle(config), broadcast_buffers=False)


def _some_idle(config: RunConfig) -> bool:
    """Whether parameters may have no part in a step.

    In a prior's training these are heads of streams that a batch does not use, in a codec's those of a bottleneck that
    has not started yet.
    """
    if not isinstance(config, TrainConfig):
        return True
    bottleneck = config.model.bottleneck
    only_codebooks = bottleneck.kind in ("identity", "vq", "residual", "grouped")
    return not only_codebooks or getattr(bottleneck, "update", "ema") == "loss"


class Ranks:
    """What all processes of a run have to do together; each calls the same methods in the same order."""

    def __init__(self, fabric: Fabric):
        self.fabric = fabric

    def agree(self, *values: float) -> list[float]:
        """The largest of each value over the ranks: going by their own clocks, they would leave a loop apart."""
        if self.fabric.world_size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.fabric.device)
        largest = cast(Tensor, self.fabric.all_reduce(shared, reduce_op="max"))
        return [float(value) for value in largest]

    def first(self, work: Callable[[], None]) -> None:
        """Let rank 0 alone do it while the others wait; its failure ends them all, and it alone says why."""
        problem: Exception | None = None
        if self.fabric.is_global_zero:
            try:
                work()
            except (VqaudioError, OSError) as error:
                problem = error
        (failed,) = self.agree(problem is not None)
        if problem is not None:
            raise problem
        if failed:
            raise SystemExit(1)


def part() -> None:
    """End the group of processes, where there is one, together: its threads may not outlive the interpreter."""
    if distributed():
        dist.barrier()
        dist.destroy_process_group()
