"""What decodes a stream of sound, whoever does it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Block = tuple[int, NDArray[np.float32]]
"""A sample rate (Hz), and samples at it as ``(n, channels)``."""

MOST_PADDING = 4096  # samples: two packets of any usual codec


class UnreadableError(Exception):
    """These bytes cannot be decoded; the message is a reason in words, ``kind`` what they look like, if anything."""

    def __init__(self, reason: str, kind: str = ""):
        super().__init__(reason)
        self.kind = kind


class NoDecoderError(UnreadableError):
    """FFmpeg's libraries might decode these bytes, but are not installed; the message is a reason in words, or none."""


class TooLongError(Exception):
    """There is more sound than was asked for."""


class StreamReader(Protocol):
    """One pass through a stream of sound, from its first sample on.

    Attributes:
        promised: samples in each channel that a header promises, or None.
        tolerance: how far that may be above what there is before anything counts as missing.
        padding: how many samples more than promised there may be that are padding of the last packets, and no sound.
        problems: what was found wrong so far, each the rest of a sentence that begins with the file's name.
        end: likewise what is wrong with how it ends, "" for nothing.
    """

    promised: int | None
    tolerance: int
    padding: int
    problems: list[str]
    end: str

    def blocks(self) -> Generator[Block]:
        """All samples in order; ends where they end, whatever the reason.

        Raises:
            OSError: the file cannot be read.
        """

    def close(self) -> None:
        """Release what decodes; the file stays open."""
