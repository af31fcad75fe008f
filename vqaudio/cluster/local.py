"""Pools on this machine: this process itself, or several beside it that are replaced when they die.

The processes are our own, a pipe to each, because libraries' pools do not outlive what these must: that of
``concurrent.futures`` and loky is broken for good by any worker that dies, and does not tell at which item; pebble's
names the item, but its workers share one pipe with a lock, which one that is killed may leave locked.
"""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Generic

from vqaudio.cluster.pool import TRIES, Finished, Item, Made, Pool, died
from vqaudio.cluster.work import attempt, use_one_thread
from vqaudio.errors import VqaudioError

_SPAWN = get_context("spawn")  # a fork would copy the threads' locks of whatever runs here


class InProcess(Pool):
    """No worker but this process."""

    workers = 1

    def run(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Finished[Item, Made]]:
        return (attempt(work, item, careful=False) for item in items)

    def close(self) -> None:
        pass


class LocalPool(Pool):
    """Processes of this machine, started as they are needed. One that dies is replaced, and its item tried again."""

    def __init__(self, jobs: int, *, deaths: int = 2 * TRIES):
        """``deaths``: that an item may cause until it has failed."""
        self.workers, self._deaths = jobs, deaths
        self._idle: list[_Worker] = []
        self._busy: dict[_Worker, _Try[Any]] = {}
        self._stillborn = 0

    def run(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Finished[Item, Made]]:
        fresh = (_Try(item) for item in items)
        again: deque[_Try[Item]] = deque()
        try:
            while True:
                while len(self._busy) < self.workers:
                    given = again.popleft() if again else next(fresh, None)
                    if given is None:
                        break
                    self._give(work, given)
                if not self._busy:
                    return
                for worker in _heard_from(self._busy):
                    answer = worker.answer()
                    if answer == READY:
                        self._stillborn = 0
                        continue
                    tried = self._busy.pop(worker)
                    if answer is not None:
                        self._idle.append(worker)
                        if isinstance(answer, Exception):
                            raise answer
                        yield replace(answer, item=tried.item)
                    elif (failed := self._bury(worker, tried)) is None:
                        again.append(tried)
                    else:
                        yield failed
        finally:
            for worker in self._busy:
                worker.stop()
            self._busy.clear()

    def _give(self, work: Callable[[Item], Made], tried: _Try[Item]) -> None:
        worker = self._idle.pop() if self._idle else _Worker()
        while not worker.give(work, tried.item, careful=tried.deaths >= TRIES):
            if worker.ready:  # it died while it had nothing to do
                worker.stop()
            else:
                self._bury_stillborn(worker)
            worker = _Worker()
        self._busy[worker] = tried

    def _bury(self, worker: _Worker, tried: _Try[Item]) -> Finished[Item, Any] | None:
        """Count a death; returns what to say where it was the item's last."""
        if not worker.ready:
            self._bury_stillborn(worker)
            return None
        worker.stop()
        tried.deaths += 1
        if tried.deaths < self._deaths:
            return None
        return Finished(tried.item, None, died(tried.item, worker.cause), 0.0)

    def _bury_stillborn(self, worker: _Worker) -> None:
        """Count a death that is no item's fault.

        Raises:
            VqaudioError: no worker lives long enough to be given anything.
        """
        worker.stop()
        self._stillborn += 1
        if self._stillborn >= TRIES:
            raise VqaudioError(f"worker processes die as they start, the last one {worker.cause}; try fewer of them")

    def close(self) -> None:
        for worker in self._idle:
            worker.stop()
        self._idle.clear()


def run_apart(work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Finished[Item, Made]]:
    """Do the work on items, one after the other, in a process beside this one, and in another where that has died.

    So an item that kills fails alone. For work that is careful, in whichever pool: see :meth:`Pool.run`.
    """
    with LocalPool(1, deaths=2) as pool:
        yield from pool.run(work, items)


# ------------------------------------------------------------------------------------------------------- one process


@dataclass(eq=False)
class _Try(Generic[Item]):
    """An item, and how many workers died at it."""

    item: Item
    deaths: int = 0


READY = "ready"


class _Worker:
    """One process and the pipe to it. It ends by itself once this process is gone."""

    def __init__(self) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(theirs,))
        self.process.start()
        theirs.close()
        self.ready = False

    def give(self, work: Callable[[Any], Any], item: object, *, careful: bool) -> bool:
        """Returns whether it was alive to take it."""
        try:
            self.pipe.send((work, item, careful))
        except OSError:
            return False
        return True

    def answer(self) -> Any:
        """What it says: that it is ready, a :class:`Finished`, an exception, or nothing, as it is dead."""
        try:
            said = self.pipe.recv() if self.pipe.poll() else None
        except (EOFError, OSError):
            return None
        self.ready = True
        return said

    @property
    def cause(self) -> str:
        """How it died, once it has stopped."""
        status = self.process.exitcode or 0
        return f"of {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _heard_from(workers: Iterable[_Worker]) -> list[_Worker]:
    """Those that have said something or died, once there are any."""
    awaited: dict[Any, _Worker] = {
        event: worker for worker in workers for event in (worker.pipe, worker.process.sentinel)
    }
    return list(dict.fromkeys(awaited[event] for event in wait(list(awaited))))


def _serve(pipe: Connection) -> None:
    """What a worker's process does until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: the first one ends the others
    use_one_thread()
    try:
        pipe.send(READY)
    except OSError:  # the process that started this one is gone
        return
    while True:
        try:
            work, item, careful = pipe.recv()
            answer: object = attempt(work, item, careful=careful)
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            error.add_note(traceback.format_exc())
            answer = error
        try:
            pipe.send(answer)
        except OSError:
            return
        except Exception as error:  # it cannot be pickled
            pipe.send(TypeError(f"{work}: what it makes cannot be sent ({error}): {answer}"))
