"""Ctrl-C and termination as a flag, read between steps: a state saved inside a step could not be resumed from."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # the second is what schedulers send before they kill
_TORCHRUN = "TORCHELASTIC_RUN_ID"  # in the environment of what it has started


class Interruption:
    """While entered, the first signal sets ``asked``; a second one acts at once, as it does without this.

    Not so under torchrun, which passes on a Ctrl-C that a terminal has sent to all of its processes already: there
    further signals change nothing, and torchrun itself kills who has not ended after half a minute.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread alone: in any other there is nothing to arrange.
        main = threading.current_thread() is threading.main_thread()
        # A signal that the parent process had ignored (a background job's Ctrl-C, say) stays ignored.
        wanted = [name for name in _SIGNALS if signal.getsignal(name) is not signal.SIG_IGN] if main else []
        self._before = {name: signal.signal(name, self._note) for name in wanted}
        return self

    def ask(self) -> None:
        """Ask to stop, as a signal does."""
        self.asked = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.ask()
        if _TORCHRUN not in os.environ:
            self._restore()

    def _restore(self) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
