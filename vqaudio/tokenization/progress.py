"""What a run says while it goes on: shards, hours of sound, times real time, and the time that is left."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

LINE_SECONDS = 60.0
"""Between lines where standard error is no terminal."""


class Progress:
    """A bar on a terminal, a line a minute elsewhere, nothing if ``quiet``. A context manager.

    Args:
        done, total: shards.
    """

    def __init__(self, done: int, total: int, *, quiet: bool):
        self._before, self._done, self._total, self._quiet = done, done, total, quiet
        self._began = self._said = time.monotonic()
        self._seconds = 0.0
        hidden = quiet or not sys.stderr.isatty()
        form = "{n}/{total} shards|{bar}| {postfix}"
        self._bar = tqdm(total=total, initial=done, bar_format=form, leave=False, disable=hidden)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def add(self, seconds: float) -> None:
        """One more shard, of so many seconds of sound."""
        self._done += 1
        self._seconds += seconds
        now = time.monotonic()
        if not self._bar.disable:
            self._bar.set_postfix_str(self.text(now), refresh=False)
            self._bar.n = self._done
            self._bar.refresh()
        elif not self._quiet and now - self._said >= LINE_SECONDS:
            print(f"{self._done}/{self._total} shards, {self.text(now)}", file=sys.stderr, flush=True)
            self._said = now

    def text(self, now: float) -> str:
        """Hours done in this run, how fast, and how long the rest will take at that speed."""
        elapsed = max(now - self._began, 1e-9)
        left = elapsed / max(self._done - self._before, 1) * (self._total - self._done)
        return (
            f"{self._seconds / 3600:.2f} h of sound, {self._seconds / elapsed:.0f} x real time, "
            f"{tqdm.format_interval(left)} left"
        )
