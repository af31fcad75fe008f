"""Files converted one after the other, or side by side by processes here or on a cluster: the same work and reports."""

from __future__ import annotations

import importlib
import io
import os
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from vqaudio.cli.program import warnings_in_one_line
from vqaudio.cluster import Finished, open_pool
from vqaudio.cluster.progress import Progress
from vqaudio.errors import FileError, VqaudioError
from vqaudio.files import writes_in_place
from vqaudio.files.pipe import is_pipe

Made = TypeVar("Made")
SEEN_SECONDS = 10.0
"""So long an output may take to appear on this machine: network file systems remember what was not there."""


@dataclass(frozen=True)
class Input:
    """A file that something is made of."""

    source: Path

    def __str__(self) -> str:
        return str(self.source)


@dataclass(frozen=True)
class Job(Input):
    """One input and its output; ``-`` stands for standard input and output.

    With ``--out-dir`` the folders of the output are made as needed.
    """

    target: Path
    makes_folders: bool = False


AnyInput = TypeVar("AnyInput", bound=Input)


class Portable:
    """A dataclass whose fields travel to other processes, but for those that are not compared.

    In ``python -m vqaudio.compress`` that module is ``__main__``; elsewhere it has its own name, by which its classes
    are found there.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        module = type(self).__module__
        if module == "__main__" and (spec := sys.modules["__main__"].__spec__):
            module = spec.name
        known = fields(self)  # type: ignore[arg-type]  # of a dataclass
        state = {field.name: getattr(self, field.name) if field.compare else None for field in known}
        return _restored, (module, type(self).__name__, state)


def _restored(module: str, name: str, state: dict[str, Any]) -> Any:
    kind = getattr(importlib.import_module(module), name)
    made = object.__new__(kind)
    made.__dict__.update(state)
    return made


class Converter(Portable, ABC, Generic[AnyInput, Made]):
    """What makes something of inputs: a dataclass of settings.

    What it loads it keeps as ``functools.cached_property`` does, in each process its own.
    """

    @abstractmethod
    def __call__(self, job: AnyInput) -> Made:
        """Convert one file; what is to be said of it goes to standard error."""


@dataclass(frozen=True)
class Where:
    """Where files are converted: on a ``cluster``, or by so many processes (``jobs``) of this machine."""

    cluster: str | None = None
    jobs: int = 1
    device: str = "cpu"

    def is_here(self, jobs: Sequence[Input]) -> bool:
        """Whether this process does it itself."""
        return not jobs or (self.cluster is None and min(self.jobs, len(jobs)) == 1)

    def refuse_pipes(self, jobs: Sequence[Input]) -> None:
        """Do nothing where all files can be read and written by those who do it.

        Raises:
            VqaudioError: one is a pipe, and other processes do it.
        """
        if self.is_here(jobs):
            return
        option = "--jobs" if self.cluster is None else "--cluster"
        for job in jobs:
            paths = [job.source, job.target] if isinstance(job, Job) else [job.source]
            for path in paths:
                if is_pipe(path) or writes_in_place(path):
                    what = "standard input and output" if str(path) == "-" else f"{path}: pipes and devices"
                    raise VqaudioError(f"{what} are of this process alone; leave out {option}, or name files")


@dataclass(frozen=True)
class Report(Generic[AnyInput, Made]):
    """What became of an input: something, or a failure in one sentence; ``said`` is what is to be told before it."""

    job: AnyInput
    made: Made | None
    failure: str | None
    said: str = ""


def convert_all(
    jobs: Sequence[AnyInput], convert: Callable[[AnyInput], Made], *, where: Where, quiet: bool
) -> Iterator[Report[AnyInput, Made]]:
    """A report on each input, in the order of the inputs; failures do not keep the others waiting.

    Raises:
        VqaudioError: there is no such cluster.
    """
    if where.is_here(jobs):
        for job in jobs:
            try:
                yield Report(job, _converted(job, convert), None)
            except VqaudioError as error:
                yield Report(job, None, str(error))
        return
    with (
        open_pool(where.cluster, jobs=min(where.jobs, len(jobs)), device=where.device) as pool,
        Progress("converting", len(jobs), quiet=quiet) as progress,
    ):
        work = _Apart(convert, Path.cwd())
        for report in _in_order(pool.run(work, map(_Numbered, range(len(jobs)), jobs)), progress):
            with progress.hidden():
                yield report


def _converted(job: AnyInput, convert: Callable[[AnyInput], Made]) -> Made:
    if isinstance(job, Job) and job.makes_folders:
        folder = job.target.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: cannot be made a folder ({error.strerror}); choose another --out-dir") from None
    return convert(job)


def _in_order(
    finished: Iterable[Finished[_Numbered[AnyInput], _Answer[Made]]], progress: Progress
) -> Iterator[Report[AnyInput, Made]]:
    """Reports in the order of the inputs: those that came early wait for their turn."""
    early: dict[int, Report[AnyInput, Made]] = {}
    turn = 0
    for done in finished:
        made = None if done.made is None else done.made.made
        progress.add(getattr(made, "seconds", 0.0))  # tables have none
        early[done.item.number] = _report(done)
        while turn in early:
            yield early.pop(turn)
            turn += 1


def _report(done: Finished[_Numbered[AnyInput], _Answer[Made]]) -> Report[AnyInput, Made]:
    """What to say of an input that was converted elsewhere: also that files there are others than here."""
    job, answer = done.item.job, done.made
    if answer is None:
        return Report(job, None, done.failure)
    failure = answer.failure
    if failure is not None and not answer.saw_input and job.source.exists():
        failure = f"{job.source}: is not seen from node {answer.node}: --cluster needs files that all nodes share"
    elif failure is None and isinstance(job, Job) and not _appears(job.target, answer.written):
        failure = (
            f"{job.target}: was written on node {answer.node}, and is not seen from here: --cluster needs files that "
            "all nodes share"
        )
    return Report(job, answer.made if failure is None else None, failure, answer.said)


# ------------------------------------------------------------------------------------------------- in other processes


@dataclass(frozen=True)
class _Numbered(Generic[AnyInput]):
    number: int
    job: AnyInput

    def __str__(self) -> str:
        return str(self.job)


@dataclass(frozen=True)
class _Answer(Generic[Made]):
    """A report, and what the worker has seen: its own name, the input, and the output's size and time."""

    made: Made | None
    failure: str | None
    said: str
    node: str
    saw_input: bool
    written: tuple[int, int] | None


@dataclass(frozen=True)
class _Apart(Generic[AnyInput, Made]):
    """Converts in a worker as here: in the same folder, so that relative names and sentences with them are the same."""

    convert: Callable[[AnyInput], Made]
    folder: Path

    def __call__(self, item: _Numbered[AnyInput]) -> _Answer[Made]:
        said, job, node = io.StringIO(), item.job, socket.gethostname()
        target = job.target if isinstance(job, Job) else job.source
        made, failure = None, None
        with redirect_stderr(said), warnings_in_one_line():
            try:
                self._go_there(node, job.source, target)
                made = _converted(job, _kept(self.convert))
            except VqaudioError as error:
                failure = str(error)
        return _Answer(made, failure, said.getvalue(), node, job.source.exists(), _written(target))

    def _go_there(self, node: str, *paths: Path) -> None:
        try:
            os.chdir(self.folder)
        except OSError:
            if not all(path.is_absolute() for path in paths):
                raise FileError(
                    f"{self.folder}: is not seen from node {node}: --cluster needs files that all nodes share"
                ) from None


_last: list[Any] = []


def _kept(convert: Callable[[AnyInput], Made]) -> Callable[[AnyInput], Made]:
    """Of converters that are equal, the one that came first, with what it has loaded."""
    if _last != [convert]:
        _last[:] = [convert]
    first: Callable[[AnyInput], Made] = _last[0]
    return first


def _written(path: Path) -> tuple[int, int] | None:
    """Bytes of a file, and the second in which it was written."""
    with suppress(OSError):
        found = path.stat()
        return found.st_size, int(found.st_mtime)
    return None


def _appears(path: Path, written: tuple[int, int] | None) -> bool:
    """Whether what was written elsewhere is here, or is soon."""
    end = time.monotonic() + SEEN_SECONDS
    while _written(path) != written:
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
        with suppress(OSError):
            os.listdir(path.parent)  # so that a network file system looks again
    return True
