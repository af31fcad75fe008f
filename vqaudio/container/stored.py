"""What any ``.vq`` file can say of itself, whether it holds sound or a table: its header, and whatever is damaged."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from vqaudio.errors import ModelError


class Header(Protocol):
    """What a file says of itself before its first chunk.

    :class:`vqaudio.container.SoundHeader` and :class:`vqaudio.series.TableHeader` have a ``from_bytes`` as well, which
    gives the header at the start of some bytes, and its size.
    """

    @property
    def version(self) -> int:
        """Of the format."""

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""


@dataclass(frozen=True)
class Damage:
    """What of a file cannot be read as it was written.

    Attributes:
        reason: what is wrong.
        chunk: with which chunk; None for what is wrong with the file as a whole.
        start, stop: what is lost with the chunk, in seconds or rows, counted from 0 and without ``stop`` itself.
        unit: of these.
    """

    reason: str
    chunk: int | None = None
    start: float = -math.inf
    stop: float = math.inf
    unit: Literal["s", "rows"] = "s"

    def __str__(self) -> str:
        if self.chunk is None:
            return self.reason
        if self.unit == "rows":
            return f"chunk {self.chunk} (rows {self.start + 1:.0f} to {self.stop:.0f} are lost): {self.reason}"
        return f"chunk {self.chunk} ({self.start:.2f}-{self.stop:.2f} s): {self.reason}"

    def touches(self, start: float, stop: float) -> bool:
        """Whether some of a stretch is damaged."""
        return self.start < stop and self.stop > start


class StoredFile(ABC):
    """A ``.vq`` file that is open, whatever it holds. A context manager, which closes it.

    Attributes:
        name: what messages call it.
    """

    def __init__(self, name: str, closing: ExitStack | None = None):
        self.name = name
        self._closing = closing or ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened for it; a file that the caller has opened stays open."""
        self._closing.close()

    @property
    @abstractmethod
    def header(self) -> Header:
        """What it says of itself before its first chunk."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Its bytes, as far as they are here."""

    @property
    @abstractmethod
    def suffix(self) -> str:
        """What the name of an output ends in, if nothing else is asked for: ``.wav``, ``.csv``."""

    @property
    @abstractmethod
    def damage(self) -> list[Damage]:
        """What was found damaged so far, of the file as a whole and of the chunks that were read."""

    @abstractmethod
    def check(self) -> None:
        """Read all chunks, so that :attr:`damage` lists whatever is damaged.

        Raises:
            ModelError: what they were coded with is not at hand.
        """

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What the header says, and what follows from it, as JSON has it."""

    def describe(self) -> dict[str, Any]:
        """All that can be said of the file, which is read and checked for it.

        That is :meth:`facts`; under ``damage``, a sentence for each; and under ``unchecked``, why chunks could not be
        read, where what they were coded with is not at hand.
        """
        unchecked = ""
        try:
            self.check()
        except ModelError as error:
            unchecked = str(error)
        about = {"file": self.name, "format_version": self.header.version} | self.facts()
        return about | {"damage": list(map(str, self.damage)), "unchecked": unchecked}
