"""What a worker does with one item, whichever pool it belongs to."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vqaudio.cluster.pool import Finished, Item, Made
from vqaudio.errors import VqaudioError

_careful = False


def is_careful() -> bool:
    """Whether workers have died several times at the item that this process works on."""
    return _careful


def attempt(work: Callable[[Item], Made], item: Item, *, careful: bool) -> Finished[Item, Made]:
    """Do the work on one item in this process; what the user can put right is a failure, and all else is raised."""
    started = time.perf_counter()
    made, failure = None, None
    with _taking_care(careful):
        try:
            made = work(item)
        except VqaudioError as error:
            failure = str(error)
    return Finished(item, made, failure, time.perf_counter() - started)


@contextmanager
def _taking_care(careful: bool) -> Iterator[None]:
    global _careful
    before, _careful = _careful, careful
    try:
        yield
    finally:
        _careful = before


def use_one_thread() -> None:
    """In this process, by whatever multiplies matrices: workers share the cores as it is."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if torch := sys.modules.get("torch"):  # else it reads the environment
        torch.set_num_threads(1)
