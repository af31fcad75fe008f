"""Where a corpus lies on the disk: its samples, where its recordings begin, and what is known of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FIELDS = ("corpus", "speaker", "split")
"""What is known of each recording; a number for each in the columns."""


@dataclass(frozen=True)
class CorpusFiles:
    """Where a corpus lies, under a name that says what is in it. Whoever finds the offsets finds all of it whole."""

    folder: Path
    name: str

    @property
    def samples(self) -> Path:
        """int16 ``(samples,)``."""
        return self.folder / f"{self.name}.npy"

    @property
    def offsets(self) -> Path:
        """int64 ``(recordings + 1,)``."""
        return self.folder / f"{self.name}-ends.npy"

    @property
    def columns(self) -> Path:
        """int32 ``(recordings * len(FIELDS),)``: numbers of names, recording after recording."""
        return self.folder / f"{self.name}-columns.npy"

    @property
    def names(self) -> Path:
        """A line of JSON for each name, a field and a text, in the order of their numbers."""
        return self.folder / f"{self.name}-names.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the process that writes them."""
        return self.folder / f"{self.name}.lock"

    def are_whole(self) -> bool:
        """Whether there is nothing left to write."""
        return self.offsets.is_file()


@dataclass(frozen=True)
class DecodedPart:
    """What a worker made of a part.

    Attributes:
        samples: a file of int16, one recording after another.
        lengths: of each recording, samples.
        known: what is known of each, by :data:`FIELDS`.
        problems: sentences on recordings that cannot be read, which are left out.
    """

    samples: Path
    lengths: list[int]
    known: list[tuple[str, ...]]
    problems: list[str]


def numbered(lines: str) -> dict[str, dict[str, int]]:
    """The names of each field with their numbers, from the lines of :attr:`CorpusFiles.names`."""
    numbers: dict[str, dict[str, int]] = {field: {} for field in FIELDS}
    for line in lines.splitlines():
        field, name = json.loads(line)
        numbers[field][name] = len(numbers[field])
    return numbers
