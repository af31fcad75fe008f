"""Pipes: what comes is taken at once, so that a recorder need not wait, and a signal can say that this was all."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Self

from vqaudio.files import Path, input_name, open_unread

ENDLESS = 2**62
"""The number of samples in what is still arriving."""
HELD = 1 << 24
"""Bytes that wait here at most, 87 s of CD sound; beyond, whoever writes the pipe waits."""
_PIECE = 1 << 16
_ROOM = 1 << 20  # bytes in the pipe itself: nothing takes them out while a library is loaded
_GRACE = 0.2
"""Seconds in which a recorder that the same Ctrl-C has reached may write what it still holds."""


def is_pipe(path: Path) -> bool:
    """Whether an input is standard input, a named pipe or a device, which cannot be read twice."""
    try:
        return os.fspath(path) == "-" or not (stat.S_ISREG(mode := os.stat(path).st_mode) or stat.S_ISDIR(mode))
    except OSError:
        return False


class Pipe:
    """Bytes from a pipe, in order, which a thread takes out of it as soon as they come.

    Networks load and code for seconds during which nobody would read, and a recorder that cannot write drops sound. At
    most ``HELD`` bytes wait here. A context manager.

    Attributes:
        name: what messages call it.
        error: why nothing more could be read, or None; read it once there is nothing more.

    Raises:
        FileError: it cannot be opened.
    """

    def __init__(self, path: Path):
        self.name = input_name(path)
        self._file = open_unread(path)
        with suppress(AttributeError, OSError):  # room for a while, where the system has it to give
            fcntl.fcntl(self._file, fcntl.F_SETPIPE_SZ, _ROOM)
        self.error: OSError | None = None
        self._wake, self._waker = os.pipe()
        self._changed = threading.Condition()
        self._waiting: deque[memoryview] = deque()
        self._n_waiting = 0
        self._ended = self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.end()
        self._thread.join()
        os.close(self._wake)
        os.close(self._waker)
        self._file.close()

    def end(self) -> None:
        """Take what is in the pipe by now, and let that be its end. May be called from a signal's handler."""
        os.write(self._waker, b"\0")

    def read(self, count: int) -> bytes:
        """The next ``count`` bytes, waiting for them; fewer at the end only."""
        pieces = []
        while count and (piece := self.take(count)):
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def peek(self, count: int) -> bytes:
        """What :meth:`read` will return; it stays in the pipe."""
        data = self.read(count)
        self.unread(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put back what was read, to be read again."""
        with self._changed:
            self._waiting.appendleft(memoryview(data))
            self._n_waiting += len(data)

    @property
    def waiting(self) -> int:
        """How many bytes can be read without waiting for them."""
        return self._n_waiting

    def take(self, most: int) -> memoryview:
        """What has come, but at most so many bytes; one at least but at the end, waiting for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._n_waiting or self._ended)
            while self._waiting:
                piece = self._waiting.popleft()
                if len(piece) > most:
                    self._waiting.appendleft(piece[most:])
                    piece = piece[:most]
                if piece:
                    self._n_waiting -= len(piece)
                    self._changed.notify_all()
                    return piece
        return memoryview(b"")

    # -------------------------------------------------------------------------------------------------- the thread

    def _run(self) -> None:
        try:
            self._fill()
        except OSError as error:
            self.error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _fill(self) -> None:
        pipe = self._file.fileno()
        while True:
            ready, _, _ = select.select([pipe, self._wake], [], [])
            if self._wake in ready:
                break
            if not self._pass_on(os.read(pipe, _PIECE)):
                return
        deadline = time.monotonic() + _GRACE
        while self._n_waiting < HELD and not self._closed:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready or not self._pass_on(os.read(pipe, _PIECE)):
                return

    def _pass_on(self, data: bytes) -> bool:
        """Let ``data`` wait to be read; whether there may be more."""
        with self._changed:
            self._changed.wait_for(lambda: self._n_waiting < HELD or self._closed)
            self._waiting.append(memoryview(data))
            self._n_waiting += len(data)
            self._changed.notify_all()
        return bool(data)
