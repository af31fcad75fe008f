"""Writes a corpus part by part, in memory that does not grow with it, and goes on where a run was killed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from vqaudio.training.corpus_files import FIELDS, CorpusFiles, DecodedPart, numbered
from vqaudio.training.growing import GrowingArray


class CorpusWriter:
    """Appends part after part to files; goes on after the last part that is there whole.

    Attributes:
        parts: how many have been appended, by this process or by those before it.
        problems: what could not be read in those that this process has appended.

    Raises:
        FileError: the files cannot be written.
    """

    def __init__(self, files: CorpusFiles):
        self._files = files
        self.problems: list[str] = []
        self._samples = GrowingArray(files.samples, np.int16)
        self._offsets = GrowingArray(files.offsets, np.int64)
        self._columns = GrowingArray(files.columns, np.int32)
        self._done = GrowingArray(files.folder / f"{files.name}-done.npy", np.int64)  # recordings after each part
        self._names = _Names(files.names)
        if not self._holds_all():  # somebody has tidied up
            self._done.truncate(0)
        self.parts = len(self._done)
        self._recordings = self._done[self.parts - 1] if self.parts else 0
        if not len(self._offsets):
            self._offsets.append(np.zeros(1, np.int64))
        self._offsets.truncate(self._recordings + 1)
        self._columns.truncate(min(len(self._columns), self._recordings * len(FIELDS)))  # which may not be asked for
        self._end = self._offsets[self._recordings]
        self._samples.truncate(self._end)

    def _holds_all(self) -> bool:
        """Whether everything is there of the parts that are said to be."""
        recordings = self._done[len(self._done) - 1] if len(self._done) else 0
        return not recordings or (len(self._offsets) > recordings and len(self._samples) >= self._offsets[recordings])

    def append(self, part: DecodedPart) -> None:
        """Take over what a worker has decoded, and remove its file.

        Raises:
            FileError: the disk is full.
        """
        self._samples.append_file(part.samples)
        ends = self._end + np.cumsum(part.lengths, dtype=np.int64)
        self._offsets.append(ends)
        named = (pair for known in part.known for pair in zip(FIELDS, known, strict=False))
        numbers = [self._names.number(field, name) for field, name in named]
        self._columns.append(np.array(numbers, np.int32))
        for kept in (self._names, self._samples, self._offsets, self._columns):
            kept.sync()  # before it is said that the part is there
        self._recordings += len(part.lengths)
        self._end = int(ends[-1]) if len(ends) else self._end
        self._done.append(np.array([self._recordings]))
        self._done.sync()
        self.parts += 1
        self.problems += part.problems
        part.samples.unlink()

    def finish(self) -> None:
        """Give the files their names, that of the offsets last.

        Raises:
            FileError: they cannot be written.
        """
        self._names.close()
        self._samples.finish()
        if len(self._columns):
            self._columns.finish()
        else:
            self._columns.remove()
            self._files.names.unlink()
        self._offsets.finish()
        self._done.remove()

    def close(self) -> None:
        """Leave all as it is, for another process to go on with."""
        for kept in (self._names, self._samples, self._columns, self._offsets, self._done):
            kept.close()


class _Names:
    """Numbers of names in each field, from 0 on, kept in a file."""

    def __init__(self, path: Path):
        self._file = open(path, "a+b")  # noqa: SIM115 - closed by close
        self._file.seek(0)
        whole, newline, _ = self._file.read().rpartition(b"\n")
        self._file.truncate(len(whole) + len(newline))
        self._numbers = numbered(whole.decode())

    def number(self, field: str, name: str) -> int:
        known = self._numbers[field]
        if name not in known:
            known[name] = len(known)
            self._file.write(json.dumps([field, name]).encode() + b"\n")
        return known[name]

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
