"""What is said in tokens, symbol by symbol in step with their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import ModelError
from vqaudio.prior.text import HOLD, Alphabet, Unit, split
from vqaudio.tokens import Tokens

Rows = NDArray[np.integer[Any]]
NEIGHBOURS = 4
"""A batch is drawn among so many times as many rows that are about as long."""


class Texts:
    """The texts of rows of which it is known when each symbol begins.

    Args:
        found: the tokens.
        learned: rows whose symbols are to be known.
        unit: what symbols are.
        lengths: frames of each of these rows.
        lead_seconds: how long before its sound a symbol comes.

    Attributes:
        alphabet: all symbols of these rows.

    Raises:
        ModelError: no row has a text with its times, or one has not as many times as symbols.
    """

    def __init__(self, found: Tokens, learned: Rows, unit: Unit, *, lengths: NDArray[np.int64], lead_seconds: float):
        self._found, self._unit, self._lead = found, unit, lead_seconds
        timed = np.diff(found.time_ends, prepend=0)[learned] > 0
        rows, lengths = learned[timed], lengths[timed]
        symbols: set[str] = set()
        for row in rows.tolist():
            symbols.update(self._symbols(row))
        if not symbols:
            raise ModelError(
                "text: no row of the tokens has a text and when each of its symbols begins; give the manifest the "
                "columns text and starts, and write the tokens again"
            )
        self.alphabet = Alphabet(tuple(sorted(symbols)), unit)
        order = np.argsort(lengths, kind="stable")
        self._rows, self._lengths = rows[order], lengths[order]
        self._cumulative = self._lengths.cumsum() / max(1, int(self._lengths.sum()))

    def _symbols(self, row: int) -> Sequence[str]:
        said, times = self._found.said(row), self._found.said_at(row)
        found = split(said, self._unit)
        if len(times) and len(found) != len(times):
            raise ModelError(
                f"text: {said!r} has {len(found)} {self._unit}s, but {len(times)} times in starts; give one for each"
            )
        return found

    def knows(self, row: int) -> bool:
        """Whether a row has a text whose times and symbols are known."""
        return bool(len(self._found.said_at(row))) and set(self._symbols(row)) <= set(self.alphabet.symbols)

    def sample(self, frames: int, longest: int, random: np.random.Generator) -> list[int]:
        """Rows about as long as each other, and as many as have so many frames together.

        Of rows longer than ``longest`` frames only so many count.
        """
        middle = int(self._cumulative.searchsorted(random.random(), side="right"))
        size = max(1, round(frames / max(1, min(int(self._lengths[middle]), longest))))
        first = min(max(0, middle - NEIGHBOURS * size // 2), max(0, len(self._rows) - NEIGHBOURS * size))
        near = self._rows[first : first + NEIGHBOURS * size]
        chosen: list[int] = random.choice(near, size, replace=len(near) < size).tolist()
        return chosen

    def stream(self, row: int, *, n_frames: int, frame_rate: float) -> NDArray[np.int64]:
        """The stream of a row's text, as long as its codes: ``(n_frames,)``. What comes is said from the next frame on.

        Symbols that are too many for their frames come later than they should, and the last of them may not come.
        """
        made = np.full(n_frames, HOLD, np.int64)
        at = 0
        numbers = [1 + self.alphabet.symbols.index(symbol) for symbol in self._symbols(row)]
        for number, start in zip(numbers, self._found.said_at(row).tolist(), strict=True):
            at = max(at, int((start - self._lead) * frame_rate) - 1)
            if at >= n_frames - 1:
                break
            made[at] = number
            at += 1
        made[-1:] = self.alphabet.end
        return made
