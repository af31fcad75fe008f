"""Text in step with codes: one sequence of both, in which a symbol comes before the sound that says it.

::

    frame                 0     1     2     3    ...
    codes               . . . . . . . . . . . .      of each codebook
    text                three hold  hold  one        what is said from the next frame on

The text is a stream of its own, the last in each frame: ``HOLD``, a symbol, or the end. The last symbol stays in view
until the next one comes, however long its sound gets, and so does how long ago it came, so that causal convolutions
always know where in the text they are. When the next one comes is a matter of likelihood like any code, learned from
recordings in which it is known. So one model has both directions: with the text given it says it, with the sound given
it tells which text makes it likeliest.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from vqaudio.container import Stream
from vqaudio.errors import ModelError, choice
from vqaudio.intnet.intervals import Integers

HOLD = 0
"""No symbol comes: what is being said goes on."""
AGES = 32
"""Frames since a symbol came that are told apart; that it is longer ago is one more thing to be told, the last."""
Unit = Literal["word", "character"]
PUNCTUATION = string.punctuation + "–—…“”„‘’¿¡«»"
"""What may stand about words without being part of them."""


@dataclass(frozen=True)
class Alphabet:
    """What texts are made of.

    Attributes:
        symbols: of each the text, unlike all others; in the stream they are 1, 2, ...
        unit: whether symbols are words, with spaces between them in a text, or characters.
    """

    symbols: tuple[str, ...]
    unit: Unit

    @property
    def stream(self) -> Stream:
        """The stream of a text: ``HOLD``, symbols, the end."""
        return Stream(len(self.symbols) + 2, 1)

    @property
    def end(self) -> int:
        """What comes after the last symbol's sound."""
        return len(self.symbols) + 1

    def read(self, text: str) -> tuple[int, ...]:
        """A text as numbers of symbols.

        Capitals, and punctuation about words, are as the alphabet has them, or else left out.

        Raises:
            ModelError: nothing is said, or a symbol is not in the alphabet.
        """
        found = []
        for part in split(text, self.unit):
            likely = (part, part.lower(), part.strip(PUNCTUATION), part.lower().strip(PUNCTUATION))
            known = next((each for each in likely if each in self.symbols), None)
            if known is None:
                if likely[-1].strip():
                    raise ModelError(f"the {self.unit} {part!r} is not known; {choice(part, self.symbols)}")
                continue
            found.append(1 + self.symbols.index(known))
        if not found:
            raise ModelError(f"the text {text!r} says nothing; {choice('', self.symbols)}")
        return tuple(found)

    def spell(self, numbers: Iterable[int]) -> str:
        """Numbers of symbols as a text."""
        return (" " if self.unit == "word" else "").join(self.symbols[number - 1] for number in numbers)

    def to_config(self) -> dict[str, Any]:
        """As files of priors hold it."""
        return {"symbols": list(self.symbols), "unit": self.unit}

    @classmethod
    def from_config(cls, facts: dict[str, Any] | None) -> Self | None:
        """What :meth:`to_config` made; None for a prior that knows no text."""
        return None if facts is None else cls(tuple(facts["symbols"]), facts["unit"])


def split(text: str, unit: Unit) -> Sequence[str]:
    """The symbols of a text: its words, or its characters, with one space where there are several."""
    words = text.split()
    return words if unit == "word" else " ".join(words)


def view_of(symbol: Integers, age: Integers) -> Integers:
    """The number of a view: of a symbol, and how long ago it came."""
    return symbol * AGES + age


def in_view(text: Integers) -> tuple[Integers, Integers]:
    """A stream of text ``(batch, frames)`` to what is in view after each frame: the last symbol, and how old it is.

    Ages are in frames, and at most ``AGES`` - 1. Before the first symbol that is ``HOLD``, since the start.
    """
    frame = np.arange(text.shape[1])
    last = np.maximum.accumulate(np.where(text != HOLD, frame, 0), axis=1)
    return np.take_along_axis(text, last, axis=1), np.minimum(frame - last, AGES - 1)
