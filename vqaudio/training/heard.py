"""Which recordings a run hears: those of one split, as arrays, so that there may be tens of millions of them."""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.recordings import Recording, data_folder, each_recording
from vqaudio.config.training import DataConfig
from vqaudio.errors import AudioError
from vqaudio.training.corpus import Corpus, read_corpus

SMALL_BYTES = 8 << 20
"""Files of so many bytes together are decoded into memory, by each process for itself."""


@dataclass(frozen=True)
class Labels:
    """One name for each recording.

    Attributes:
        names: each once. numbers: int32 ``(recordings,)``, of names.
    """

    names: tuple[str, ...]
    numbers: NDArray[np.int32]


@dataclass(frozen=True)
class Heard:
    """The recordings of one split, numbered from 0 on.

    Attributes:
        corpus: where they are. corpora, speakers: whose; the name of a speaker may be empty.
    """

    corpus: Corpus
    corpora: Labels
    speakers: Labels

    def lengths(self) -> NDArray[np.int64]:
        """Samples of each, ``(recordings,)``."""
        return np.diff(self.corpus.offsets)


def open_heard(config: DataConfig, split: str, sample_rate: int, *, shared: bool, progress: bool) -> Heard:
    """The recordings of a split at ``sample_rate`` (Hz), decoded if they have not been yet.

    Args:
        config: which. split: which of them.
        sample_rate: Hz.
        shared: other processes will map them too, so that they have to be in files.
        progress: show a bar on standard error while they are decoded.

    Raises:
        FileError, AudioError: there are none, one cannot be read, or they cannot be kept.
    """
    folder = data_folder(config.folder)
    files = _Files(folder, split, config.corpora)
    corpora, speakers = _Numbering(), _Numbering()
    known, size = set(), 0
    cache = None if config.cache is None else Path(config.cache)
    if cache is None and shared:
        cache = user_cache()
    for item in each_recording(folder):
        known.add(item.corpus)
        if files.has(item):
            corpora.add(item.corpus)
            speakers.add(item.speaker)
            if cache is None:
                size += _size(item.path)
                cache = user_cache() if size > SMALL_BYTES else None
    for key, names in (("corpora", set(config.corpora)), ("weights", set(config.weights))):
        if unknown := names - known:
            raise AudioError(f"data.{key} names {', '.join(sorted(unknown))}, but {folder} holds no such corpus")
    files.count = len(corpora.numbers)
    title = f"reading {split}" if progress else ""
    return Heard(read_corpus(files, sample_rate, cache=cache, title=title), corpora.labels(), speakers.labels())


def user_cache() -> Path:
    """Where decoded recordings are kept if nothing else is said: ``~/.cache/vqaudio``, or in ``$XDG_CACHE_HOME``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vqaudio"


class _Files:
    """The files of a split, listed anew each time: there may be more than memory holds."""

    def __init__(self, folder: Path, split: str, corpora: Collection[str]):
        self.folder, self.split, self.corpora, self.count = folder, split, frozenset(corpora), 0

    def has(self, item: Recording) -> bool:
        return item.split == self.split and (not self.corpora or item.corpus in self.corpora)

    def __iter__(self) -> Iterator[Path]:
        return (item.path for item in each_recording(self.folder) if self.has(item))

    def __len__(self) -> int:
        return self.count


class _Numbering:
    """Names as numbers, in the order in which they come."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self.numbers = array("i")

    def add(self, name: str) -> None:
        self.numbers.append(self._known.setdefault(name, len(self._known)))

    def labels(self) -> Labels:
        return Labels(tuple(self._known), np.frombuffer(self.numbers, np.int32))


def _size(path: Path) -> int:
    """Bytes; that a file is missing is said when it is read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
