"""Where a run runs: devices, processes, precision and loggers as a Lightning Fabric."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.csv_logs import CSVLogger
from lightning.fabric.loggers.tensorboard import TensorBoardLogger
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import distributed as dist

from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError
from vqaudio.model.bottleneck import build_bottleneck
from vqaudio.model.bottleneck.codebook import distributed

WAIT_SECONDS = 86_400
"""So long a process waits for the others: one may have a corpus to decode first. Lost ones are noticed otherwise."""


class RayEnvironment(TorchElasticEnvironment):
    """Workers of Ray Train, which sets the variables that torchrun does, but for the node's number.

    Its nodes may have different numbers of workers.
    """

    def node_rank(self) -> int:
        """The number of the machine among those of the run."""
        return int(os.environ["NODE_RANK"])

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Whatever Ray has placed is right."""


def launch(config: RunConfig, environment: RayEnvironment | None = None) -> Fabric:
    """Start the processes of a config, or join those that a launcher has started: from here on, all run the same code.

    ``environment`` tells of them where Ray has started them.

    Raises:
        ConfigError: this machine, or the launcher, has not what the config asks for.
    """
    devices, nodes = _processes(config)
    alone = (devices, nodes) == (1, 1)
    if environment is not None:
        devices, nodes, alone = int(os.environ["LOCAL_WORLD_SIZE"]), 1, environment.world_size() == 1
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="auto" if alone else _ddp(config),
            plugins=None if alone or environment is None else [environment],
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
    unused = may_leave_parameters_unused(config)
    return DDPStrategy(find_unused_parameters=unused, broadcast_buffers=False, timeout=timedelta(seconds=WAIT_SECONDS))


def may_leave_parameters_unused(config: RunConfig) -> bool:
    """Whether parameters may have no part in a step.

    In a prior's training these are heads of streams that a batch does not use, in a codec's those of a bottleneck that
    has not started yet.
    """
    if not isinstance(config, TrainConfig):
        return True
    with torch.device("meta"):  # for its parameters' names alone
        bottleneck = build_bottleneck(config.model.bottleneck, config.model.latent_dim)
    return next(bottleneck.parameters(), None) is not None


def leave() -> None:
    """End the group of processes, where there is one, together: its threads may not outlive the interpreter.

    Gloo's barrier leaves a tensor to its thread, which may wait for the interpreter to free it, while the interpreter
    waits for the thread to end; its monitored one sends messages alone.
    """
    if distributed():
        meet = dist.monitored_barrier if dist.get_backend() == dist.Backend.GLOO else dist.barrier
        meet()
        dist.destroy_process_group()
