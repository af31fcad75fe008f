"""A pool whose workers are Ray's: Ray places tasks, does them again where workers or nodes die, and moves results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from vqaudio.cluster.connect import connect
from vqaudio.cluster.pool import TRIES, Finished, Item, Made, Pool, died
from vqaudio.cluster.work import attempt, use_one_thread
from vqaudio.errors import VqaudioError

AHEAD = 2
"""Tasks that Ray has at a time, for each worker: one that runs, and one that it need not ask for."""
COUNT_SECONDS = 2.0
"""So often workers are counted."""


class RayPool(Pool):
    """A worker for each CPU of a cluster, or for each of its GPUs where ``device`` is ``cuda``."""

    def __init__(self, cluster: str, *, device: str = "cpu"):
        kind, _, number = device.partition(":")
        if number:
            raise VqaudioError(f"--device {device} with --cluster: say --device {kind}; the cluster chooses which")
        self._ray, self._joined = connect(cluster)
        self._gpus = int(kind == "cuda")
        self._counted = -COUNT_SECONDS
        if self._gpus and not self._ray.cluster_resources().get("GPU"):
            self.close()
            raise VqaudioError(f"--cluster {cluster}: none of its nodes has a GPU; leave out --device {device}")

    @property
    def workers(self) -> int:  # type: ignore[override]  # nodes come and go
        now = time.monotonic()
        if now - self._counted >= COUNT_SECONDS:
            self._counted = now
            found = self._ray.cluster_resources().get("GPU" if self._gpus else "CPU", 0)
            self._workers = max(1, int(found))
        return self._workers

    def run(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Finished[Item, Made]]:
        # Else Ray ends a process after each task on a GPU, and with it the model that it has loaded.
        task = self._ray.remote(max_calls=0)(_attempt).options(
            num_cpus=1, num_gpus=self._gpus, max_retries=TRIES - 1, retry_exceptions=False
        )
        shared = self._ray.put(work)
        waiting = iter(items)
        pending: dict[Any, tuple[Item, bool]] = {}
        try:
            while True:
                for item in islice(waiting, max(0, AHEAD * self.workers - len(pending))):  # fewer once a node is gone
                    pending[task.remote(shared, item, False)] = item, False
                if not pending:
                    return
                (reference,), _ = self._ray.wait(list(pending), num_returns=1)
                item, careful = pending.pop(reference)
                done = self._result(reference)
                if isinstance(done, Finished):
                    yield replace(done, item=item)
                elif careful:
                    yield Finished(item, None, died(item, done), 0.0)
                else:
                    pending[task.remote(shared, item, True)] = item, True
        finally:
            for reference in pending:
                self._ray.cancel(reference, force=True)

    def _result(self, reference: Any) -> Finished[Any, Any] | str:
        """What came of a task, or, where Ray has given it up, what its last worker died of.

        Raises:
            Exception: of the work.
        """
        errors = self._ray.exceptions
        causes = {
            errors.OutOfMemoryError: "for want of memory",
            errors.WorkerCrashedError: "by a crash",
            errors.NodeDiedError: "with its node",
            errors.LocalRayletDiedError: "with its node",
            errors.ObjectLostError: "with its node",
        }
        try:
            done: Finished[Any, Any] = self._ray.get(reference)
            return done
        except errors.RayTaskError as error:
            if not isinstance(error.cause, Exception):
                raise
            error.cause.add_note(str(error))
            raise error.cause from None
        except tuple(causes) as error:
            return next(words for kind, words in causes.items() if isinstance(error, kind))

    def close(self) -> None:
        if self._joined:
            self._ray.shutdown()


def _attempt(work: Callable[[Item], Made], item: Item, careful: bool) -> Finished[Item, Made]:
    use_one_thread()
    return attempt(work, item, careful=careful)
