"""Long work that is watched and can be stopped, and failures as one sentence."""

from __future__ import annotations

import functools
import inspect
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

    def __init__(self, kind: str, request: gr.Request | None, progress: gr.Progress | None = None):
        self.kind, self._progress = kind, progress
        self._session = None if request is None else request.session_hash
        self.stopped = threading.Event()
        self.replaced = False
        """Whether it was stopped because other work takes its place, so that nothing of it shall be shown any more."""

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
        self.check()
        if self._progress is not None:
            self._progress(min(share, 1.0), desc=what)

    def check(self) -> None:
        """Go on, unless it has been stopped.

        Raises:
            StoppedError: it has been.
        """
        if self.stopped.is_set():
            raise StoppedError

    def part(self, start: float, stop: float, total: float, what: str) -> Callable[[float], None]:
        """For what reports amounts: call it with each, and the share goes from ``start`` to ``stop`` by ``total``."""
        done = 0.0

        def report(amount: float) -> None:
            nonlocal done
            done += amount
            self.step(start + (stop - start) * min(1.0, done / total), what)

        self.step(start, what)
        return report


def stop(kind: str | None = None, *, replaced: bool = False) -> Callable[[gr.Request], None]:
    """A handler that stops the visitor's jobs of a kind, or all of them; other work may take their place."""

    def handler(request: gr.Request) -> None:
        with _changing:
            for job in _running.get(request.session_hash, ()):
                if kind in (None, job.kind):
                    job.replaced = replaced
                    job.stopped.set()

    return handler


def reports_errors(handler: Handler) -> Handler:
    """A handler whose expected failures are shown as their sentence; stopped, it leaves the page as it is."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def generating(*arguments: Any) -> Iterator[Any]:
            with _told():
                yield from handler(*arguments)

        return generating  # type: ignore[return-value]

    @functools.wraps(handler)
    def returning(*arguments: Any) -> Any:
        with _told():
            return handler(*arguments)
        return gr.skip()

    return returning  # type: ignore[return-value]


def answers(function: Callable[[dict[str, Any]], str]) -> Callable[[Any], str]:
    """What the page's own elements ask the server: an address, or nothing where it cannot be had."""

    @functools.wraps(function)
    def answering(asked: Any) -> str:
        try:
            return function(asked)
        except (VqaudioError, KeyError, TypeError, ValueError):  # nothing that the page itself asks for
            return ""

    return answering


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except StoppedError:
        pass
    except VqaudioError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception as error:  # a fault of ours: its trace is for the server's log
        raise gr.Error("Something went wrong here. The server's log says what.") from error
