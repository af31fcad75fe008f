"""What a run says while it goes on: CSV and TensorBoard files, a progress bar, a line for each validation."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from lightning.fabric import Fabric
from tqdm import tqdm

SHOWN = ("loss", "mel", "magnitude", "complex", "discriminator", "bits")


class Journal:
    """One process's journal; only the first rank's has loggers and a bar that show anything."""

    def __init__(self, fabric: Fabric, progress: bool):
        self.fabric, self.progress = fabric, progress and fabric.is_global_zero
        self.bar: tqdm[Any] | None = None

    def open(self, done: int, total: int | None) -> Self:
        """Show a bar of ``total`` steps (or of unknown length), ``done`` of which are over; use it in a ``with``."""
        self.bar = tqdm(
            total=total,
            initial=done,
            desc="training",
            unit="step",
            dynamic_ncols=True,
            disable=None if self.progress else True,  # None: only on terminals
        )
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()
        for logger in self.fabric.loggers:
            logger.finalize("success" if error is None else "failed")

    def advance(self) -> None:
        """One more step is done."""
        if self.bar is not None:
            self.bar.update()

    def train(self, step: int, logs: Mapping[str, float], *, fraction: float) -> None:
        """Write a training step's figures, and show the main ones."""
        self.fabric.log_dict({f"train/{name}": value for name, value in logs.items()}, step)
        self._flush()
        if self.bar is not None:
            shown = {name: f"{logs[name]:.3f}" for name in SHOWN if name in logs}
            if "audio_seconds_per_second" in logs:
                shown["sound"] = f"{logs['audio_seconds_per_second']:.0f} s/s"
            if self.bar.total is None:
                shown["done"] = f"{fraction:.0%}"
            self.bar.set_postfix(shown, refresh=False)

    def valid(self, step: int, scores: Mapping[str, float], *, summary: str) -> None:
        """Write a validation's figures, and say the main ones in a line."""
        self.fabric.log_dict({f"valid/{name}": value for name, value in scores.items()}, step)
        self._flush()
        self.say(f"step {step}: {summary}")

    def say(self, text: str) -> None:
        """A line on standard error, above the bar."""
        if self.progress:
            tqdm.write(text, file=sys.stderr)

    def _flush(self) -> None:
        for logger in self.fabric.loggers:
            logger.save()
