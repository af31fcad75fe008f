"""How far a run has come: items done, what they held, how fast that went, and how long the rest will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tqdm import tqdm


class Progress:
    """A bar on standard error, where that is a terminal and not ``quiet``; to be used in a ``with`` block.

    Args:
        name: what is done. total: how many items there are, where that is known. unit: what an item is called.
    """

    def __init__(self, name: str, total: int | None = None, *, unit: str = "file", quiet: bool = False):
        self._bar: tqdm[Any] | None = None
        self._seconds, self._started = 0.0, time.perf_counter()
        if quiet or not sys.stderr.isatty():
            return
        from tqdm import tqdm  # late: it takes a while to import

        left = "{elapsed}<{remaining}" if total is not None else "{elapsed}"
        amount = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}" if total is not None else "{n_fmt}"
        form = f"{{desc}}: {amount} {{unit}}s{{postfix}} [{left}]"
        self._bar = tqdm(total=total, desc=name, unit=unit, leave=False, bar_format=form)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def add(self, seconds: float = 0.0, *, items: int = 1) -> None:
        """So many items more are done, with so many seconds of sound."""
        self._seconds += seconds
        if self._bar is None:
            return
        if self._seconds:
            speed = self._seconds / (time.perf_counter() - self._started)
            self._bar.set_postfix_str(f"{_duration(self._seconds)} of sound, {speed:.3g} x real time", refresh=False)
        self._bar.update(items)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Lines that are printed meanwhile stand above the bar."""
        if self._bar is not None:
            self._bar.clear()
        yield
        if self._bar is not None:
            self._bar.refresh()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 3600 else f"{seconds / 3600:.1f} h"
