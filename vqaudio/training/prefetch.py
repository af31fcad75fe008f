"""Crops made beside the step: on a GPU's other stream, by another thread, while the step before goes on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from vqaudio.training.data import CropBatch, Crops


class Prefetch:
    """Batches of crops in the order of steps, the next one begun when one is taken; on a CPU each when it is taken."""

    def __init__(self, crops: Crops):
        self.crops = crops
        self._pool: ThreadPoolExecutor | None = None
        self._started: dict[tuple[int, int], Future[CropBatch]] = {}

    def batch(self, step: int, rank: int, *, device: torch.device) -> CropBatch:
        """What :meth:`Crops.batch` gives, on a device."""
        if device.type != "cuda":
            return self.crops.batch(step, rank).to(device)
        if self._pool is None:
            self._pool, self._stream = ThreadPoolExecutor(1, "crops"), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        taken = self._started.pop((step, rank), None) or self._start(step, rank, device)
        self._started = {(step + 1, rank): self._start(step + 1, rank, device)}
        made = taken.result()
        for tensor in (made.target, made.source, made.speaker):  # else the memory is taken for others too early
            tensor.record_stream(torch.cuda.current_stream(device))
        return made

    def _start(self, step: int, rank: int, device: torch.device) -> Future[CropBatch]:
        assert self._pool is not None
        return self._pool.submit(self._make, step, rank, device)

    def _make(self, step: int, rank: int, device: torch.device) -> CropBatch:
        with torch.cuda.device(device), torch.cuda.stream(self._stream):
            made = self.crops.batch(step, rank).to(device)
        self._stream.synchronize()
        return made
