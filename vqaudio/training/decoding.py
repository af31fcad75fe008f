"""Parts of a corpus decoded by worker processes and put together in their order: once, for all who train on it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.cluster import open_pool
from vqaudio.errors import AudioError, AudioWarning, FileError
from vqaudio.files.locking import locked
from vqaudio.training.corpus_files import CorpusFiles, DecodedPart
from vqaudio.training.corpus_writer import CorpusWriter

MANY = 16  # parts that are worth the start of other processes, which takes seconds


@dataclass(frozen=True)
class Decoded:
    """One recording, or why there is none.

    Attributes:
        known: what is known of it, by :data:`vqaudio.training.corpus_files.FIELDS`.
        pieces: int16 arrays, one after another; none of them where there is a problem.
        problem: a sentence.
    """

    known: tuple[str, ...]
    pieces: Iterable[NDArray[np.int16]] = ()
    problem: str = ""


class Decodable(Protocol):
    """Some recordings in order, small when it is pickled."""

    @property
    def index(self) -> int:
        """Of the part, from 0 on."""

    def decode(self, sample_rate: int) -> Iterator[Decoded]:
        """Each recording at ``sample_rate`` (Hz), mono."""


def decode_once(
    files: CorpusFiles, parts: Iterable[Decodable], sample_rate: int, *, total: int | None = None, title: str = ""
) -> None:
    """See to it that a corpus is on the disk: decode it, or wait for the process that does.

    Args:
        files: where.
        parts: of it, in order, always the same for the same name of the files; they are taken as they are needed.
        sample_rate: Hz.
        total: parts, where their number is known.
        title: that of a bar, if any.

    Raises:
        FileError, AudioError: a part cannot be read, or the files not be written. What was decoded by then is kept for
            the next try.
    """
    if files.are_whole():
        return
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"data.cache: {files.folder} cannot be a folder ({error.strerror}); name another") from None

    def waiting() -> None:
        if title:
            tqdm.write(f"{title}: waiting for the process that decodes it into {files.folder}", file=sys.stderr)

    with locked(files.lock, waiting=waiting):
        if not files.are_whole():
            _decode(files, parts, sample_rate, total, title)
        files.lock.unlink(missing_ok=True)  # whoever waits for it, or makes it anew, finds nothing left to do


def _decode(files: CorpusFiles, parts: Iterable[Decodable], sample_rate: int, total: int | None, title: str) -> None:
    for left in files.folder.glob(f"{files.name}.*.parts"):
        shutil.rmtree(left, ignore_errors=True)  # a killed process's
    folder = Path(tempfile.mkdtemp(".parts", f"{files.name}.", files.folder))
    writer = CorpusWriter(files)
    try:
        rest = (_Task(part, folder, sample_rate) for part in islice(parts, writer.parts, None))
        first = list(islice(rest, MANY))
        jobs = 1 if len(first) < MANY else os.cpu_count() or 1
        bar = tqdm(None, title, total, False, unit="part", initial=writer.parts, disable=None if title else True)
        with bar, open_pool(None, jobs=jobs) as pool:
            early: dict[int, DecodedPart] = {}
            for finished in pool.run(_work, (task for some in (first, rest) for task in some)):
                if finished.made is None:
                    raise AudioError(finished.failure)
                early[finished.item.part.index] = finished.made
                while writer.parts in early:
                    writer.append(early.pop(writer.parts))
                    bar.update()
        writer.finish()
    finally:
        writer.close()
        shutil.rmtree(folder, ignore_errors=True)
    if writer.problems:
        warnings.warn(
            f"{len(writer.problems)} recordings cannot be read and are left out: {writer.problems[0]}",
            AudioWarning,
            stacklevel=4,
        )


@dataclass(frozen=True)
class _Task:
    """A part, and where its samples go."""

    part: Decodable
    folder: Path
    sample_rate: int

    def __str__(self) -> str:
        return str(self.part)


def _work(task: _Task) -> DecodedPart:
    path = task.folder / f"{task.part.index}.int16"
    lengths, known, problems = [], [], []
    try:
        with open(path, "wb") as file:
            for recording in task.part.decode(task.sample_rate):
                if recording.problem:
                    problems.append(recording.problem)
                    continue
                begin = file.tell()
                for piece in recording.pieces:
                    file.write(np.ascontiguousarray(piece).data)
                lengths.append((file.tell() - begin) // 2)
                known.append(recording.known)
    except OSError as error:
        raise FileError(f"{path}: cannot be written ({error.strerror}); set data.cache to another folder") from None
    return DecodedPart(path, lengths, known, problems)
