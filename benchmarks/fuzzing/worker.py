"""Inputs in a process of its own, so that whatever they do to it is known of: an exception, a crash, a hang, memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from benchmarks.fuzzing.subjects import Subject, subject
from benchmarks.processes import memory
from vqaudio.errors import VqaudioError

REFUSED, LOST = "refused", "of a process that ended"
MOST_SECONDS = 5.0
"""Of processor time, for one input."""
MOST_BYTES = 10**9
"""Resident at the peak, the interpreter and its libraries included."""
HUNG_SECONDS = 120.0
"""Of wall time, after which a process that Python cannot interrupt is killed: others may be at work on this machine."""
LIMIT_BYTES = 4 * 2**30
"""Address space that a process may take beyond what it has at the start, lest one input stop the machine."""


class HangError(Exception):
    """An input took too long."""


@dataclass
class Found:
    """What a range of inputs led to.

    Attributes:
        outcomes: how many were read as intact, read as damaged, and refused.
        failures: number of an input, and what went wrong.
        slowest: seconds of processor time, and the input's number.
        peak: bytes resident.
        next: the first input that is still to do.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    peak: int = 0
    next: int = 0

    def add(self, other: Found) -> None:
        """What another range led to, too."""
        self.outcomes += other.outcomes
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.peak, self.next = max(self.peak, other.peak), other.next


def made(kind: str, seed: int, index: int) -> bytes:
    """The input of a number, as a run has it."""
    return subject(kind).make(_random(kind, seed, index))[0]


def _random(kind: str, seed: int, index: int) -> Random:
    return Random(f"{seed}/{kind}/{index}")


def run(kind: str, seed: int, first: int, stop: int, subject: Callable[[str], Subject] = subject) -> Iterator[Found]:
    """Inputs ``first`` to ``stop`` in as many processes, one after another, as it takes."""
    context = multiprocessing.get_context("spawn")
    while first < stop:
        here, there = context.Pipe(duplex=False)
        at = context.Value("q", first, lock=False)
        process = context.Process(target=_work, args=(kind, seed, first, stop, subject, at, there), daemon=True)
        process.start()
        there.close()
        hung = _wait(process, here, at)
        try:
            found = here.recv()
        except EOFError:  # it is gone without a word, and its counts with it: only the inputs before count
            process.join()
            reason = f"hangs for {HUNG_SECONDS:g} s" if hung else f"ends the process ({process.exitcode})"
            found = Found(Counter({LOST: at.value - first}), [(at.value, reason)], next=at.value + 1)
        process.join()
        first = found.next
        yield found


def _wait(process: Any, connection: Connection, at: Any) -> bool:
    """Until the process has something to say, is gone, or hangs; True where it had to be killed."""
    seen, since = at.value, time.monotonic()
    while process.is_alive() and not connection.poll(0.5):
        if at.value != seen:
            seen, since = at.value, time.monotonic()
        elif time.monotonic() - since > HUNG_SECONDS:
            process.kill()
            return True
    return False


def _work(
    kind: str, seed: int, first: int, stop: int, subject: Callable[[str], Subject], at: Any, connection: Connection
) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C complain there of their own accord
    chosen = subject(kind)
    with contextlib.suppress(OSError, ValueError):
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _hangs)
    ignored: list[str] = []
    sys.unraisablehook = lambda raised: ignored.append(f"{raised.exc_value!r} is ignored in {raised.object}")
    found, parent = Found(next=stop), os.getppid()
    for index in range(first, stop):
        if os.getppid() != parent:  # it was killed, and nobody waits for this any more
            return
        at.value = index
        data, forged = chosen.make(_random(kind, seed, index))
        started, outcome, problem = time.process_time(), REFUSED, ""
        signal.setitimer(signal.ITIMER_PROF, 2 * MOST_SECONDS)
        try:
            outcome = chosen.check(data, forged)
        except VqaudioError:
            pass
        except BaseException:
            problem = traceback.format_exc(-8)
        signal.setitimer(signal.ITIMER_PROF, 0)
        took = time.process_time() - started
        found.slowest = max(found.slowest, (took, index))
        found.peak = max(found.peak, _peak())
        problem += "".join(ignored)
        ignored.clear()
        if not problem and took > MOST_SECONDS:
            problem = f"takes {took:.1f} s"
        if found.peak > MOST_BYTES:
            problem += f"takes {found.peak / 1e6:.0f} MB"
        if problem:
            found.failures.append((index, problem))
        else:
            found.outcomes[outcome] += 1
        if found.peak > MOST_BYTES:  # a peak does not go back
            found.next = index + 1
            break
    connection.send(found)


def _peak() -> int:
    """Bytes resident at the most so far."""
    return memory("self", "VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _hangs(number: int, frame: FrameType | None) -> None:
    raise HangError
