"""Which recordings a run hears: those of one split, as arrays, so that there may be tens of millions of them.

``data.folder`` is any SOURCE of :mod:`vqaudio.corpora`. A folder of sound files, or with a manifest of ours, is listed
anew for each run, and the recordings of each split have a cache of their own, which counts for just these files. Of all
other sources the cache holds whatever there is, with what is known of it: tars say that only while they are read.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vqaudio.audio.file_source import SUFFIXES
from vqaudio.audio.recordings import Recording, data_folder, each_recording, has_manifest
from vqaudio.config.training import DataConfig
from vqaudio.corpora import Corpus as Source
from vqaudio.corpora import open_corpus
from vqaudio.errors import AudioError
from vqaudio.training.corpus import Corpus, read_corpus, read_source
from vqaudio.training.corpus_files import FIELDS, CorpusFiles, numbered

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
        corpus: where they are. chosen: which of its recordings they are, or None for all.
        corpora, speakers: whose; the name of a speaker may be empty.
    """

    corpus: Corpus
    chosen: NDArray[np.int32] | None
    corpora: Labels
    speakers: Labels

    def lengths(self) -> NDArray[np.int64]:
        """Samples of each, ``(recordings,)``."""
        every: NDArray[np.int64] = np.diff(self.corpus.offsets)
        return every if self.chosen is None else every[self.chosen]


def source_of(config: DataConfig) -> str:
    """Where the recordings are: a path or a URL."""
    return str(data_folder()) if config.folder is None else config.folder


def check_source(config: DataConfig) -> None:
    """See whether there are recordings to list; that some cannot be read is said later.

    Raises:
        FileError, AudioError, CorpusError: there are none.
    """
    if _is_plain(source_of(config)):
        next(each_recording(Path(source_of(config))), None)
    else:
        open_corpus(source_of(config), corpora=config.corpora)


def open_heard(config: DataConfig, split: str, sample_rate: int, *, shared: bool, progress: bool) -> Heard:
    """The recordings of a split at ``sample_rate`` (Hz), decoded if they have not been yet.

    Args:
        config: which. split: which of them.
        sample_rate: Hz.
        shared: other processes will map them too, so that they have to be in files.
        progress: show a bar on standard error while they are decoded.

    Raises:
        FileError, AudioError, CorpusError: there are none, one cannot be read, or they cannot be kept.
    """
    if _is_plain(source_of(config)):
        title = f"reading {split}" if progress else ""
        return _in_folder(config, split, sample_rate, shared=shared, title=title)
    return _in_source(config, split, sample_rate, progress=progress)


def speakers_in(config: DataConfig, corpora: Collection[str], sample_rate: int) -> tuple[str, ...]:
    """The speakers of some corpora who are in training, by name, in the order of the alphabet.

    Raises:
        AudioError: a corpus that is not there or whose speakers have no names.
    """
    source = source_of(config)
    if _is_plain(source):
        items = (item for item in each_recording(Path(source)) if item.split == "train" and item.speaker)
        found = {(item.corpus, item.speaker) for item in items}
    else:
        heard = _in_source(config, "train", sample_rate, progress=False)
        pairs = np.unique(np.stack([heard.corpora.numbers, heard.speakers.numbers], 1), axis=0)
        found = {(heard.corpora.names[corpus], heard.speakers.names[speaker]) for corpus, speaker in pairs}
        found = {(corpus, speaker) for corpus, speaker in found if speaker}
    nameless = sorted(set(corpora) - {corpus for corpus, _ in found})
    if nameless:
        raise AudioError(
            f"speaker_corpora names {', '.join(nameless)}, but {source} has no training speaker with a name there; "
            "give manifest.csv a column speaker"
        )
    return tuple(sorted({speaker for corpus, speaker in found if corpus in corpora}))


def user_cache() -> Path:
    """Where decoded recordings are kept if nothing else is said: ``~/.cache/vqaudio``, or in ``$XDG_CACHE_HOME``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vqaudio"


def _cache_of(config: DataConfig) -> Path | None:
    return None if config.cache is None else Path(config.cache)


def _refuse_unknown(config: DataConfig, known: Collection[str]) -> None:
    for key, names in (("corpora", set(config.corpora)), ("weights", set(config.weights))):
        if unknown := names.difference(known):
            found = f"but {source_of(config)} holds no such corpus"
            raise AudioError(f"data.{key} names {', '.join(sorted(unknown))}, {found}")


# ------------------------------------------------------------------------------------------------- a folder, as it is


def _is_plain(source: str) -> bool:
    """Whether it is a folder here with a manifest of ours, or with sound files in it; or none that anybody knows."""
    if "://" in source or Path(source).is_file():
        return False
    if not Path(source).is_dir():
        return "{" not in source  # as names of many tars have it
    if has_manifest(Path(source)):
        return True
    names = (name for _, _, names in os.walk(source) for name in names if not name.startswith("."))
    kinds = (os.path.splitext(name)[1].lower() for name in names)
    return not (Path(source) / "wav.scp").is_file() and any(kind in SUFFIXES for kind in kinds)


def _in_folder(config: DataConfig, split: str, sample_rate: int, *, shared: bool, title: str) -> Heard:
    files = _Files(Path(source_of(config)), split, config.corpora)
    corpora, speakers = _Numbering(), _Numbering()
    known, size = set(), 0
    cache = _cache_of(config)
    if cache is None and shared:
        cache = user_cache()
    for item in each_recording(files.folder):
        known.add(item.corpus)
        if files.has(item):
            corpora.add(item.corpus)
            speakers.add(item.speaker)
            if cache is None:
                size += _size(item.path)
                cache = user_cache() if size > SMALL_BYTES else None
    _refuse_unknown(config, known)
    files.count = len(corpora.numbers)
    corpus = read_corpus(files, sample_rate, cache=cache, title=title)
    return Heard(corpus, None, corpora.labels(), speakers.labels())


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


# -------------------------------------------------------------------------------------------------- any other source


def _in_source(config: DataConfig, split: str, sample_rate: int, *, progress: bool) -> Heard:
    source: Source = open_corpus(source_of(config), corpora=config.corpora)
    name = hashlib.sha256(f"{source.digest} {sample_rate}".encode()).hexdigest()[:16]
    files = CorpusFiles(_cache_of(config) or user_cache(), name)
    corpus = read_source(source, files, sample_rate, title=f"reading {source.source}" if progress else "")
    if not files.columns.is_file():
        raise AudioError(f"{source.source}: holds no recordings that can be read; once it does, remove {files.offsets}")
    names = {field: tuple(known) for field, known in numbered(files.names.read_text(encoding="utf-8")).items()}
    columns = npy.open_memmap(files.columns, mode="r").reshape(-1, len(FIELDS))
    column = {field: columns[:, place] for place, field in enumerate(FIELDS)}
    _refuse_unknown(config, names["corpus"])
    number = names["split"].index(split) if split in names["split"] else -1
    chosen = np.flatnonzero(column["split"] == number).astype(np.int32)
    corpora, speakers = (Labels(names[field], column[field][chosen]) for field in ("corpus", "speaker"))
    return Heard(corpus, chosen, corpora, speakers)
