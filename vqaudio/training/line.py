"""What a run's workers on a cluster and the command that started them say to each other."""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from typing import Any, Literal

from vqaudio.training.interruption import Interruption

TELL_SECONDS = 0.25
"""Between two messages of a worker: the pace of its bar."""

Kind = Literal["begin", "text", "failed", "bug", "stopped"]
"""A worker began, or began again; what is to be seen on standard error as it is; a sentence that ends the run; the
traceback of a mistake in the program; the run has saved its state and stopped."""


class Switchboard:
    """An actor between the two: workers tell, the command hears; and it asks them to stop."""

    def __init__(self) -> None:
        self._messages: deque[tuple[Kind, str]] = deque()
        self._stop, self._told = False, time.monotonic()

    def tell(self, kind: Kind, text: str) -> bool:
        """Leave a message; returns whether the run is asked to stop."""
        self._told = time.monotonic()
        if text or kind != "text":
            self._messages.append((kind, text))
        return self._stop

    def hear(self) -> tuple[list[tuple[Kind, str]], float]:
        """All messages since this was asked last, and the seconds since any worker called."""
        heard = list(self._messages)
        self._messages.clear()
        return heard, time.monotonic() - self._told

    def ask_to_stop(self) -> None:
        """Let the next who tells something know."""
        self._stop = True


class Line(io.TextIOBase):
    """A worker's end of the line: what is written here is seen where the run was started, within a quarter of a second.

    Args:
        ray: the module.
        switchboard: the actor.
        terminal: whether it is a terminal on which it is seen.
        interruption: is told to stop when the command is.
    """

    def __init__(self, ray: Any, switchboard: Any, *, terminal: bool, interruption: Interruption):
        self._ray, self._switchboard, self._interruption = ray, switchboard, interruption
        self._terminal = terminal
        self._text: list[str] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def open(self) -> None:
        """Forward what is written from now on, and hear whether the run is to stop."""
        threading.Thread(target=self._forward, name="line", daemon=True).start()

    def isatty(self) -> bool:
        """See ``io.IOBase.isatty``."""
        return self._terminal

    def writable(self) -> bool:
        """See ``io.IOBase.writable``."""
        return True

    def write(self, text: str) -> int:
        """See ``io.TextIOBase.write``."""
        with self._lock:
            self._text.append(text)
        return len(text)

    def tell_of(self, kind: Kind, text: str = "") -> None:
        """Leave a message, after all that was written before."""
        self._send()
        self._say(kind, text)

    def hang_up(self) -> None:
        """Send what is left."""
        self._closed.set()
        self._send()

    def _forward(self) -> None:
        while not self._closed.wait(TELL_SECONDS):
            self._send()

    def _send(self) -> None:
        with self._lock:
            text, self._text = "".join(self._text), []
        self._say("text", text)

    def _say(self, kind: Kind, text: str) -> None:
        if self._ray.get(self._switchboard.tell.remote(kind, text)):
            self._interruption.ask()
