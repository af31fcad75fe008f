"""Crops made ahead of the step: by worker processes, or on a GPU that holds the recordings, on its other stream."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch.utils.data import DataLoader, Dataset

from vqaudio.training.data import CropBatch, Crops

HELD_SHARE = 0.25
"""The most of a GPU's memory that recordings may take."""
GPU_WORKERS = 2
"""Processes that prepare crops for a GPU where recordings would take more, unless another number is asked for."""
AHEAD = 4  # batches that each worker has ready
GRACE_SECONDS = 60


class Prefetch:
    """Batches of crops in the order of steps. Wherever they are made, they depend on seed, step and rank alone.

    Crops are made by ``workers`` processes where there are any, else on the GPU that trains, if its memory has room for
    the recordings; without a GPU, in the step. On a GPU they are others than on a CPU, as its arithmetic is.
    """

    def __init__(self, crops: Crops, device: torch.device, *, workers: int):
        self.crops, self.device, self.workers = crops, device, workers
        if device.type == "cuda" and not workers:
            if fits(crops, device):
                crops.to(device)
                self._pool, self._stream = ThreadPoolExecutor(1, "crops"), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            else:
                self.workers = GPU_WORKERS
        self._started: dict[tuple[int, int], Future[CropBatch]] = {}
        self._next: tuple[int, int] | None = None
        self._loaded: Iterator[CropBatch] = iter(())

    def batch(self, step: int, rank: int) -> CropBatch:
        """What :meth:`Crops.batch` gives, on the device."""
        if self.workers:
            return self._from_workers(step, rank).to(self.device)
        if self.device.type == "cuda":
            return self._from_gpu(step, rank)
        return self.crops.batch(step, rank).to(self.device)

    def close(self) -> None:
        """End the worker processes: left to themselves, they would outlive a signal by a minute."""
        self._loaded, self._next = iter(()), None

    # ---------------------------------------------------------------------------------------------------- by processes

    def _from_workers(self, step: int, rank: int) -> CropBatch:
        if self._next != (step, rank):
            self._loaded = iter(self._loader(step, rank))
        self._next = step + 1, rank
        try:
            return next(self._loaded)
        except (ConnectionError, EOFError) as error:  # from torch, where it hears of the death, not of the silence
            raise RuntimeError(f"DataLoader worker (pid unknown) is gone: {error}") from None

    def _loader(self, step: int, rank: int) -> DataLoader[CropBatch]:
        return DataLoader(
            _Steps(self.crops, rank),
            batch_size=None,
            sampler=range(step, sys.maxsize),
            num_workers=self.workers,
            prefetch_factor=AHEAD,
            persistent_workers=True,
            pin_memory=self.device.type == "cuda",
            multiprocessing_context="spawn",  # a fork would copy the locks of whatever threads run here
            worker_init_fn=_outlive_signals,
            generator=torch.Generator(),  # else it takes a number from the one that the model draws from
        )

    # -------------------------------------------------------------------------------------------------------- on a GPU

    def _from_gpu(self, step: int, rank: int) -> CropBatch:
        taken = self._started.pop((step, rank), None) or self._pool.submit(self._make, step, rank)
        self._started = {(step + 1, rank): self._pool.submit(self._make, step + 1, rank)}
        made = taken.result()
        for tensor in (made.target, made.source, made.speaker):  # else the memory is taken for others too early
            tensor.record_stream(torch.cuda.current_stream(self.device))
        return made

    def _make(self, step: int, rank: int) -> CropBatch:
        with torch.cuda.device(self.device), torch.cuda.stream(self._stream):
            made = self.crops.batch(step, rank).to(self.device)
        self._stream.synchronize()
        return made


def fits(crops: Crops, device: torch.device) -> bool:
    """Whether a GPU has room for all recordings, by the memory that it has, not by what is free at the moment."""
    total: int = torch.cuda.get_device_properties(device).total_memory
    return crops.n_bytes <= HELD_SHARE * total


class _Steps(Dataset[CropBatch]):
    """The batches of a rank, by step."""

    def __init__(self, crops: Crops, rank: int):
        self.crops, self.rank = crops, rank

    def __getitem__(self, step: int) -> CropBatch:
        return self.crops.batch(step, self.rank)


def _outlive_signals(worker: int) -> None:
    """What ends a run reaches its workers too; the process that trains finishes its step, for which it needs crops."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE_SECONDS))
