"""One process at a time, on one machine or on several that share a disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vqaudio.errors import FileError


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock that a file stands for; the system takes it back from a process that dies.

    Args:
        path: of the file, which is made where there is none, and is empty.
        waiting: called once if another process holds it.

    Raises:
        FileError: the file cannot be made there, or its disk knows no locks.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None
    try:
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise FileError(f"{path}: cannot be locked ({error.strerror}); choose a folder on another disk") from None
        yield
    finally:
        os.close(file)
