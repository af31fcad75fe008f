"""Long work that is watched and can be stopped, and failures as one sentence."""

from __future__ import annotations

import functools
import threading
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import gradio as gr

from vqaudio.errors import VqaudioError

QUEUE: dict[str, Any] = {"concurrency_id": "models", "concurrency_limit": 1}
"""How events that run models are queued: one at a time, whoever asks."""

PROGRESS = gr.Progress()
"""The default that handlers have for ``progress``: Gradio knows by it where to put the caller's own."""

Handler = TypeVar("Handler", bound=Callable[..., Any])

_running: dict[str | None, set[Job]] = defaultdict(set)
"""The jobs of each visitor, by session."""
_changing = threading.Lock()


class StoppedError(Exception):
    """The visitor does not want it any more."""


class Job:
    """A piece of work of one visitor, to be entered with ``with``; it ends at the next :meth:`step` once stopped."""

    def __init__(self, kind: str, request: gr.Request | None, progress: gr.Progress):
        self.kind, self._progress = kind, progress
        self._session = None if request is None else request.session_hash
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        with _changing:
            _running[self._session].add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _changing:
            _running[self._session].discard(self)
            if not _running[self._session]:
                del _running[self._session]

    def step(self, share: float, what: str) -> None:
        """Say how much is done (0 to 1) and what comes now.

        Raises:
            StoppedError: it has been stopped.
        """
        if self.stopped.is_set():
            raise StoppedError
        self._progress(min(share, 1.0), desc=what)

    def part(self, start: float, stop: float, total: float, what: str) -> Callable[[float], None]:
        """For what reports amounts: call it with each, and the share goes from ``start`` to ``stop`` by ``total``."""
        done = 0.0

        def report(amount: float) -> None:
            nonlocal done
            done += amount
            self.step(start + (stop - start) * min(1.0, done / total), what)

        self.step(start, what)
        return report


def stop(kind: str | None = None) -> Callable[[gr.Request], None]:
    """A handler that stops the visitor's jobs of a kind, or all of them."""

    def handler(request: gr.Request) -> None:
        with _changing:
            for job in _running.get(request.session_hash, ()):
                if kind in (None, job.kind):
                    job.stopped.set()

    return handler


def reports_errors(handler: Handler) -> Handler:
    """A handler whose expected failures are shown as their sentence; stopped, it leaves the page as it is."""

    @functools.wraps(handler)
    def wrapped(*arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except StoppedError:
            return gr.skip()
        except VqaudioError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception as error:  # a fault of ours: its trace is for the server's log
            raise gr.Error("Something went wrong here. The server's log says what.") from error

    return wrapped  # type: ignore[return-value]
