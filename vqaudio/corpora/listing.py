"""Sources that list their recordings: rows in order, checked as they come, in parts of some."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from vqaudio.audio.recordings import VALID_EVERY
from vqaudio.corpora import storage
from vqaudio.corpora.reading import RecordingReader
from vqaudio.corpora.seen import SeenIds
from vqaudio.corpora.utterance import Heard, Part, Utterance, in_unicode
from vqaudio.errors import CorpusError

_PIECE = 1 << 20  # bytes
_TOGETHER = 1024  # rows whose ids are looked up at once


@dataclass(frozen=True)
class Listed:
    """A row: an utterance, and a sentence that says what is wrong with the row, if anything. Its split may be empty."""

    utterance: Utterance
    problem: str = ""


class Listing(ABC):
    """A kind of source that lists its recordings.

    Attributes:
        base: what relative paths of recordings are relative to.
    """

    base: str

    @abstractmethod
    def rows(self) -> Iterator[Listed]:
        """Each recording, in an order that is always the same, read as it goes.

        Raises:
            VqaudioError: what follows cannot be understood at all.
        """

    @abstractmethod
    def digest(self) -> str:
        """Equal for the same list of recordings, wherever it is; their sound is not read."""


class FileListing(Listing):
    """A kind that is one file, whose rows name it all.

    Attributes:
        kind: its name, for digests.
        empty: what is said of a file without rows.

    Raises:
        FileError: it cannot be read. CorpusError: it has no rows, or the first one cannot be understood.
    """

    kind: str
    empty: str

    def __init__(self, path: str):
        self._path = path
        first = next(self.rows(), None)
        if first is None:
            raise CorpusError(f"{path}: {self.empty}")
        self.base = base_of(path, first.utterance.path)

    def digest(self) -> str:
        return digest_of_files(self.kind, [self._path])


def base_of(manifest: str, path: str) -> str:
    """What relative paths in a manifest are relative to, of which ``path`` is one.

    That is the manifest's folder, or, where the file is not there but in the working directory, that.
    """
    folder = manifest.rpartition("/")[0]
    if not storage.is_url(manifest):
        folder = os.path.abspath(storage.plain(folder))
    if os.path.exists(path) and not storage.exists(storage.join(folder, path)):
        return os.getcwd()
    return folder


def digest_of_files(kind: str, paths: Iterable[str]) -> str:
    """The SHA-256 of a kind's name and of files' bytes, in hexadecimal."""
    sha = hashlib.sha256(kind.encode())
    for path in paths:
        with storage.open_read(path) as file:
            while piece := file.read(_PIECE):
                sha.update(piece)
        sha.update(b"\0")
    return sha.hexdigest()


def checked(rows: Iterable[Listed]) -> Iterator[Listed]:
    """The rows, each in a split; ids that were there before are problems.

    Where a row names no split, every twentieth is for validation, and of fewer rows the last.
    """
    seen = SeenIds()
    found = iter(rows)
    together = tuple(islice(found, _TOGETHER))
    every = min(VALID_EVERY, max(2, len(together)))
    index = 0
    while together:
        again = seen.add([row.utterance.id for row in together])
        for row, twice in zip(together, again, strict=True):
            utterance, unreadable = in_unicode(row.utterance)
            problem = row.problem or unreadable
            if not utterance.split:
                split = "valid" if index % every == every - 1 else "train"
                utterance = Utterance(**(vars(utterance) | {"split": split}))
            if twice and not problem:
                problem = f"{utterance.id}: is listed more than once; give each utterance an id of its own"
            yield Listed(utterance, problem)
            index += 1
        together = tuple(islice(found, _TOGETHER))


@dataclass(frozen=True)
class ListedPart(Part):
    """Some rows, and what their paths are relative to."""

    base: str
    rows: tuple[Listed, ...]

    def read(self, sample_rate: int) -> Iterator[Heard]:
        with RecordingReader(sample_rate) as reader:
            for row in self.rows:
                path = storage.join(self.base, row.utterance.path)
                yield row.utterance, row.problem or reader.read(row.utterance, path)

    def singly(self) -> Iterator[tuple[Utterance, Part]]:
        for row in self.rows:
            yield row.utterance, replace(self, rows=(row,))
