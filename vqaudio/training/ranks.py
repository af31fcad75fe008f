"""What the processes of a run do together: end at once where one fails or is lost, and see one folder."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import torch
from lightning.fabric import Fabric
from torch import Tensor
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from vqaudio.errors import FileError, LostProcessError, VqaudioError

FAILED, HEARD = "failed", "heard"
"""Counters that all processes share: how many have failed, and how many know of it."""
WATCH_SECONDS = 0.5
PATIENCE_SECONDS = 5.0
"""So long the process that failed waits for the others to hear of it, and they for one that is gone without a word."""
LOST_SECONDS = 120.0
"""After so long without a sign a process is taken for lost: its machine may be, of which no connection tells."""
SEEN_SECONDS = 40.0
"""So long a network's file system may keep to itself what was written on another machine (NFS: 30 s)."""
GONE = (
    *("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting"),
    "remote process exited",
)
"""What gloo, and NCCL in the last line, say in a RuntimeError where another process is gone."""


class Ranks:
    """What all processes of a run have to do together; each calls the same methods in the same order.

    Args:
        fabric: has launched them.
        hint: says how to go on with the run.
    """

    def __init__(self, fabric: Fabric, hint: Callable[[], str]):
        self.fabric, self.hint = fabric, hint
        self._counters = _shared_counters(fabric) if fabric.world_size > 1 else None
        self._beats: dict[int, tuple[int, float]] = {}  # of the others: the last count, and when it was new

    @property
    def name(self) -> str:
        """Which process this one is, to begin a sentence with; nothing where it is the only one."""
        world = self.fabric.world_size
        return f"process {self.fabric.global_rank + 1} of {world}: " if world > 1 else ""

    @contextmanager
    def together(self) -> Iterator[None]:
        """Whatever fails in one process within ends all of them, and is said once.

        The others may be waiting for it in a sum over all processes, so they end at once, from a thread.

        Raises:
            VqaudioError: memory was not enough.
            LostProcessError: another process is gone without a word.
            SystemExit: this process failed too, but not first.
        """
        done = threading.Event()
        self._beats = {}
        watch = threading.Thread(target=self._watch, args=(done,), daemon=True)
        watch.start()
        try:
            yield
        except SystemExit:  # of ``on_rank_zero``: it is known already
            self._count(HEARD)
            raise
        except Exception as error:
            done.set()
            lost = self._counters is not None and _is_of_a_lost_process(error)
            if not self._tell(wait=not lost):  # of a loss the others have heard as this one did
                raise SystemExit(1) from None
            if lost:
                raise LostProcessError(self._loss("another one")) from None
            reason = str(error).partition("\n")[0] or "no more of it"
            if "DataLoader worker (pid" in reason:  # of torch, whatever it was that it interrupted
                raise VqaudioError(
                    f"{self.name}a process that prepares crops has ended ({reason}): if that was for want of memory, "
                    "lower data.workers or data.batch_size"
                ) from None
            if not _is_out_of_memory(error):
                raise
            raise VqaudioError(
                f"{self.name}memory is not enough ({reason}): lower data.batch_size or data.crop_seconds"
            ) from None
        finally:
            done.set()
            watch.join()

    def _watch(self, done: threading.Event) -> None:
        while self._counters is not None and not done.wait(WATCH_SECONDS):
            lost = None
            try:
                if self._counters.check([FAILED]):
                    self._count(HEARD)
                    os._exit(1)
                lost = self._lost()
            except RuntimeError:  # they live in the first process
                if done.wait(PATIENCE_SECONDS):
                    return
                lost = 0
            if lost is not None:  # said from here: the thread at work waits for what never comes
                self._count(FAILED)
                print(f"error: {self._loss(f'process {lost + 1}')}", file=sys.stderr, flush=True)
                os._exit(1)

    def _lost(self) -> int | None:
        """Give a sign of life; the first process looks for one of each other, and returns who gives none any more."""
        assert self._counters is not None
        rank, now = self.fabric.global_rank, time.monotonic()
        if rank:
            self._counters.add(f"alive {rank}", 1)
            return None
        for other in range(1, self.fabric.world_size):
            beat = int(self._counters.add(f"alive {other}", 0))
            last, since = self._beats.setdefault(other, (beat, now))
            if beat != last:
                self._beats[other] = (beat, now)
            elif now - since > LOST_SECONDS:
                return other
        return None

    def _loss(self, which: str) -> str:
        return f"{self.name}{which} is gone without a word (killed, or with its machine); {self.hint()}"

    def _tell(self, *, wait: bool) -> bool:
        """Let the others know that this process has failed; returns whether it was the first to.

        One that failed too has heard of it: else the first would wait in vain, and be killed by Fabric, which ends all
        processes some seconds after one has gone, before it could say why.
        """
        count = self._count(FAILED)
        if count > 1:
            self._count(HEARD)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (
            wait and count == 1 and self._count(HEARD, 0) < self.fabric.world_size - 1 and time.monotonic() < deadline
        ):
            time.sleep(WATCH_SECONDS / 5)
        return count <= 1

    def _count(self, name: str, more: int = 1) -> int:
        """Add to a counter; returns what it is then, 0 where counters are out of reach."""
        try:
            return 0 if self._counters is None else int(self._counters.add(name, more))
        except RuntimeError:
            return 0

    def all_see(self, folder: Path) -> None:
        """Make sure that what the first process writes into a run's folder is there for all, to go on from.

        Raises:
            FileError: the folder cannot be made or written to, or a process has another one by that name.
        """
        if self.fabric.world_size == 1:
            return
        mark = folder / f".{self.fabric.broadcast(uuid.uuid4().hex)}"

        def write() -> None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                mark.touch()
            except OSError as error:
                raise FileError(f"{folder}: cannot be written to ({error.strerror}); set another `out`") from None

        self.on_rank_zero(write)
        deadline = time.monotonic() + SEEN_SECONDS
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(WATCH_SECONDS)
        seen = mark.exists()
        (missed,) = self.max_over_ranks(not seen)
        if self.fabric.is_global_zero:
            mark.unlink(missing_ok=True)
        if not seen:
            raise FileError(
                f"{self.name}{socket.gethostname()} does not see what the first process writes to {folder}: set `out` "
                "to a folder on storage that all machines share"
            )
        if missed:
            raise SystemExit(1)

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
    host, first, world = os.environ["MASTER_ADDR"], fabric.is_global_zero, fabric.world_size
    wait = timedelta(seconds=LOST_SECONDS)
    mine = TCPStore(host, 0, world, is_master=True, wait_for_workers=False, timeout=wait) if first else None
    port = fabric.broadcast(mine.port if mine else 0)
    return mine or TCPStore(host, port, world, is_master=False, wait_for_workers=False, timeout=wait)


def _is_of_a_lost_process(error: Exception) -> bool:
    """Whether it says that a sum over all processes lacks one."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in GONE)


def _is_out_of_memory(error: Exception) -> bool:
    """Python's, numpy's and CUDA's errors have types of their own, that of torch on a CPU has only its words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
