"""Where a run runs: devices, processes, precision and loggers as a Lightning Fabric; and how processes keep in step."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.csv_logs import CSVLogger
from lightning.fabric.loggers.tensorboard import TensorBoardLogger
from lightning.fabric.strategies.ddp import DDPStrategy
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch import distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError, VqaudioError
from vqaudio.model.bottleneck import build_bottleneck
from vqaudio.model.bottleneck.codebook import distributed


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
    return DDPStrategy(find_unused_parameters=may_leave_parameters_unused(config), broadcast_buffers=False)


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


FAILED, HEARD = "failed", "heard"
"""Counters that all processes share: how many have failed, and how many know of it."""
WATCH_SECONDS = 0.5
PATIENCE_SECONDS = 5.0
"""So long the process that failed waits for the others to hear of it, and they for one that is gone without a word."""


class Ranks:
    """What all processes of a run have to do together; each calls the same methods in the same order."""

    def __init__(self, fabric: Fabric):
        self.fabric = fabric
        self._counters = _shared_counters(fabric) if fabric.world_size > 1 else None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Whatever fails in one process within ends all of them, and is said once.

        The others may be waiting for it in a sum over all processes, so they end at once, from a thread.

        Raises:
            VqaudioError: memory was not enough.
            SystemExit: this process failed too, but not first.
        """
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watch.start()
        try:
            yield
        except SystemExit:  # of ``on_rank_zero``: it is known already
            self._count(HEARD)
            raise
        except Exception as error:
            done.set()
            if not self._tell():
                raise SystemExit(1) from None
            world = self.fabric.world_size
            where = f"process {self.fabric.global_rank + 1} of {world}: " if world > 1 else ""
            if "DataLoader worker" in str(error):  # of torch, whatever it was that it interrupted
                reason = str(error).partition("\n")[0]
                raise VqaudioError(
                    f"{where}a process that prepares crops has ended ({reason}): if that was for want of memory, lower "
                    "data.workers or data.batch_size"
                ) from None
            if not _is_out_of_memory(error):
                raise
            reason = str(error).partition("\n")[0] or "no more of it"
            raise VqaudioError(
                f"{where}memory is not enough ({reason}): lower data.batch_size or data.crop_seconds"
            ) from None
        finally:
            done.set()
            watch.join()

    def _watch(self, done: threading.Event) -> None:
        while self._counters is not None and not done.wait(WATCH_SECONDS):
            try:
                if not self._counters.check([FAILED]):
                    continue
                self._count(HEARD)
            except RuntimeError:  # they live in the first process
                if done.wait(PATIENCE_SECONDS):
                    return
            os._exit(1)

    def _tell(self) -> bool:
        """Let the others know that this process has failed; returns whether it was the first to.

        One that failed too has heard of it: else the first would wait in vain, and be killed by Fabric, which ends all
        processes some seconds after one has gone, before it could say why.
        """
        count = self._count(FAILED)
        if count > 1:
            self._count(HEARD)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while count == 1 and self._count(HEARD, 0) < self.fabric.world_size - 1 and time.monotonic() < deadline:
            time.sleep(WATCH_SECONDS / 5)
        return count <= 1

    def _count(self, name: str, more: int = 1) -> int:
        """Add to a counter; returns what it is then, 0 where counters are out of reach."""
        try:
            return 0 if self._counters is None else int(self._counters.add(name, more))
        except RuntimeError:
            return 0

    def max_over_ranks(self, *values: float) -> list[float]:
        """The largest of each value over the ranks: going by their own clocks, they would leave a loop apart."""
        if self.fabric.world_size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.fabric.device)
        largest = cast(Tensor, self.fabric.all_reduce(shared, reduce_op="max"))
        return [float(value) for value in largest]

    def on_rank_zero(self, work: Callable[[], None]) -> None:
        """Let rank 0 alone do it while the others wait; its failure ends them all, and it alone says why."""
        problem: Exception | None = None
        if self.fabric.is_global_zero:
            try:
                work()
            except (VqaudioError, OSError) as error:
                problem = error
        (failed,) = self.max_over_ranks(problem is not None)
        if problem is not None:
            raise problem
        if failed:
            raise SystemExit(1)


def _shared_counters(fabric: Fabric) -> TCPStore:
    """A store in the first process, that all reach without taking turns as collectives do."""
    host, first = os.environ["MASTER_ADDR"], fabric.is_global_zero
    world = fabric.world_size
    mine = TCPStore(host, 0, world, is_master=True, wait_for_workers=False) if first else None
    port = fabric.broadcast(mine.port if mine else 0)
    return mine or TCPStore(host, port, world, is_master=False, wait_for_workers=False)


def _is_out_of_memory(error: Exception) -> bool:
    """Python's, numpy's and CUDA's errors have types of their own, that of torch on a CPU has only its words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def leave() -> None:
    """End the group of processes, where there is one, together: its threads may not outlive the interpreter.

    Gloo's barrier leaves a tensor to its thread, which may wait for the interpreter to free it, while the interpreter
    waits for the thread to end; its monitored one sends messages alone.
    """
    if distributed():
        meet = dist.monitored_barrier if dist.get_backend() == dist.Backend.GLOO else dist.barrier
        meet()
        dist.destroy_process_group()
