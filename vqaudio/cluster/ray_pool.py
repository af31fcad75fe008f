"""A pool whose workers are Ray's: Ray places tasks, does them again where workers or nodes die, and moves results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vqaudio.cluster.connect import connected
from vqaudio.cluster.local import died
from vqaudio.cluster.pool import TRIES, Finished, Item, Made, Pool
from vqaudio.cluster.work import attempt


class RayPool(Pool):
    """The CPUs of a cluster, or its GPUs where ``device`` is ``cuda``: one task each at a time."""

    def __init__(self, cluster: str, *, device: str = "cpu"):
        self._ray, self._joined = connected(cluster)
        self._gpus = int(device.startswith("cuda"))

    @property
    def workers(self) -> int:  # type: ignore[override]  # nodes come and go
        return max(1, int(self._ray.cluster_resources().get("GPU" if self._gpus else "CPU", 0)))

    def run(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Finished[Item, Made]]:
        task = self._ray.remote(attempt).options(
            num_cpus=1, num_gpus=self._gpus, max_retries=TRIES - 1, scheduling_strategy="SPREAD"
        )
        shared = self._ray.put(work)
        waiting = iter(items)
        pending: dict[Any, tuple[Item, bool]] = {}

        def submit(item: Item, careful: bool) -> None:
            pending[task.remote(shared, item, careful=careful)] = item, careful

        try:
            while True:
                while len(pending) < 2 * self.workers:
                    try:
                        submit(next(waiting), False)
                    except StopIteration:
                        break
                if not pending:
                    return
                ready, _ = self._ray.wait(list(pending), num_returns=1)
                for reference in ready:
                    item, careful = pending.pop(reference)
                    try:
                        yield self._ray.get(reference)
                    except (self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.NodeDiedError) as error:
                        if careful:
                            yield Finished(item, None, died(item, type(error).__name__), 0.0)
                        else:
                            submit(item, True)
        finally:
            for reference in pending:
                self._ray.cancel(reference, force=True)

    def close(self) -> None:
        if self._joined:
            self._ray.shutdown()
