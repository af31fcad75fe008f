"""Recordings as 16-bit integers: decoded once, into files that all processes map into memory."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.resampling import resample
from vqaudio.corpora import Corpus as Source
from vqaudio.corpora import Part
from vqaudio.errors import AudioWarning
from vqaudio.files import open_input
from vqaudio.training.corpus_files import FIELDS, CorpusFiles
from vqaudio.training.decoding import Decoded, decode_once

FILES_A_PART = 64
PIECE = 1 << 20  # samples of a recording that are decoded at once


@dataclass(frozen=True)
class Corpus:
    """Recordings one after another. Pickled, one that lies in files is their names alone.

    Attributes:
        samples: int16 ``(samples,)``.
        offsets: int64 ``(recordings + 1,)``: recording ``i`` lies from ``offsets[i]`` to ``offsets[i + 1]``.
        files: where both lie, to be read and not to be changed; None: they are in memory.
    """

    samples: NDArray[np.int16]
    offsets: NDArray[np.int64]
    files: CorpusFiles | None = None

    @classmethod
    def mapped(cls, files: CorpusFiles) -> Corpus:
        """What lies in files: the system holds what was looked at for all processes, as long as there is room."""
        # Read only: of memory that is copied when it is written to, systems grant no more than they have.
        return cls(npy.open_memmap(files.samples, mode="r"), npy.open_memmap(files.offsets, mode="r"), files)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Corpus, (self.samples, self.offsets)) if self.files is None else (Corpus.mapped, (self.files,))


def to_int16(sound: NDArray[np.float32]) -> NDArray[np.int16]:
    """Full scale 1.0 to 32767, rounded and clipped: half the memory of float32."""
    rounded: NDArray[np.int16] = (np.clip(sound, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    return rounded


class Paths(Protocol):
    """Files in order, which may be gone through several times."""

    def __iter__(self) -> Iterator[Path]:
        """From the first one."""

    def __len__(self) -> int:
        """How many there are."""


def read_corpus(paths: Paths, sample_rate: int, *, cache: Path | None = None, title: str = "") -> Corpus:
    """The recordings at ``sample_rate`` (Hz), mono, in the order of ``paths``; ``title`` is that of a bar, if any.

    With a folder ``cache`` they are kept there for this very list of files (names, sizes and times), and mapped into
    memory from there, 115 MB an hour at 16 kHz. One process decodes them, and others wait for it.

    Raises:
        FileError, AudioError: a file cannot be read, or the cache not be written.
    """
    if cache is None:
        sounds = [np.concatenate([np.zeros(0, np.int16), *_read_one(path, sample_rate)]) for path in paths]
        return Corpus(np.concatenate([np.zeros(0, np.int16), *sounds]), np.cumsum([0, *map(len, sounds)]))
    files = CorpusFiles(cache, _digest(paths, sample_rate))
    count = -(-len(paths) // FILES_A_PART)
    rest = iter(paths)
    parts = (FilesPart(index, tuple(islice(rest, FILES_A_PART))) for index in range(count))
    decode_once(files, parts, sample_rate, total=count, title=title)
    return Corpus.mapped(files)


def read_source(source: Source, files: CorpusFiles, sample_rate: int, *, title: str = "") -> Corpus:
    """All utterances of a source at ``sample_rate`` (Hz), mono, from ``files``, which hold what is known of them too.

    Warns with :class:`vqaudio.errors.AudioWarning` of what cannot be read, which is left out.

    Raises:
        FileError, AudioError, CorpusError: the source cannot be read at all, or the files not be written.
    """
    decode_once(files, map(UtterancesPart, source.parts()), sample_rate, title=title)
    return Corpus.mapped(files)


@dataclass(frozen=True)
class UtterancesPart:
    """Some utterances of a source."""

    part: Part

    @property
    def index(self) -> int:
        """See :class:`vqaudio.training.decoding.Decodable`."""
        return self.part.index

    def decode(self, sample_rate: int) -> Iterator[Decoded]:
        """See :class:`vqaudio.training.decoding.Decodable`."""
        for utterance, sound in self.part.read(sample_rate):
            if isinstance(sound, str):
                yield Decoded((), problem=sound)
            else:
                yield Decoded(tuple(getattr(utterance, field) for field in FIELDS), [to_int16(sound)])


@dataclass(frozen=True)
class FilesPart:
    """Some files."""

    index: int
    paths: tuple[Path, ...]

    def decode(self, sample_rate: int) -> Iterator[Decoded]:
        """See :class:`vqaudio.training.decoding.Decodable`.

        Raises:
            FileError, AudioError: a file cannot be read.
        """
        return (Decoded((), _read_one(path, sample_rate)) for path in self.paths)


def _read_one(path: Path, sample_rate: int) -> Iterator[NDArray[np.int16]]:
    """A recording piece by piece, however long it is."""
    with FileSource(path) as file:
        sound = resample(file, sample_rate)
        for begin in range(0, sound.n_samples, PIECE):
            yield to_int16(sound.read(begin, min(begin + PIECE, sound.n_samples)).mean(axis=0))
    for problem in file.problems:
        warnings.warn(problem, AudioWarning, stacklevel=2)


def _digest(paths: Paths, sample_rate: int) -> str:
    digest = hashlib.sha256(str(sample_rate).encode())
    for path in paths:
        with open_input(path) as file:
            found = os.fstat(file.fileno())
        digest.update(f"{path.resolve()} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
