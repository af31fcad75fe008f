"""Command lines that turn files into files: which inputs become which outputs, and one report for each."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from vqaudio.cli import options
from vqaudio.cli.converting import Converter, Input, Job, Made, Where, convert_all
from vqaudio.cli.options import PATH
from vqaudio.cli.outcomes import Outcome, totals
from vqaudio.errors import VqaudioError
from vqaudio.files import files_below, refuse_existing, writes_in_place

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True)
class Files:
    """What a command line says of its inputs and outputs."""

    paths: tuple[Path, ...]
    out_dir: Path | None
    force: bool
    skip_existing: bool
    quiet: bool
    cluster: str | None = None
    jobs: int = 1

    def where(self, device: str = "cpu") -> Where:
        """Where they are converted."""
        return Where(self.cluster, self.jobs, device)


def file_options(
    kind: str, made: str, *, shown: str = "IN [OUT]"
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """The arguments that a command gets as ``files``, ``shown`` in its usage as they may be."""
    added = (
        click.argument("paths", nargs=-1, type=PATH, metavar=shown),
        click.option(
            "--out-dir",
            type=PATH,
            metavar="DIR",
            help=f"take any number of {kind} files and folders, and write each one's {made} there, under its own name",
        ),
        options.force,
        options.skip_existing,
        options.jobs,
        options.cluster,
        options.quiet,
    )

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def packed(**given: Any) -> int:
            options.refuse_together("force", "skip_existing")
            options.refuse_together("cluster", "jobs")
            files = Files(**{field.name: given.pop(field.name) for field in fields(Files)})
            return main(files=files, **given)

        return functools.reduce(lambda function, add: add(function), reversed(added), packed)

    return decorate


OutSuffix = str | Callable[[Path], str]
"""The suffix of outputs, or what tells it of an input."""


def list_jobs(
    files: Files, suffixes: Collection[str], *, out_suffix: OutSuffix, may_omit_output: bool = True
) -> list[Job]:
    """Pairs of input and output; folders are searched for files with one of ``suffixes``.

    Where no output is named, it is put into the folder of the input, unless it must be (``may_omit_output``).

    Raises:
        VqaudioError: not IN OUT, an empty folder, and as :func:`settle`.
    """
    paths = files.paths
    if files.out_dir is not None:
        jobs = [job for path in paths for job in _into(files.out_dir, path, suffixes, out_suffix)]
    elif len(paths) == 2:
        jobs = [Job(*paths)]
    elif len(paths) == 1 and may_omit_output and str(paths[0]) != "-":
        folder = paths[0] if paths[0].is_dir() else paths[0].parent
        jobs = _into(folder, paths[0], suffixes, out_suffix)
    else:
        raise VqaudioError(f"expected IN OUT, found {len(paths)} paths; to convert several files, add --out-dir DIR")
    return settle(jobs, files)


def settle(jobs: list[Job], files: Files) -> list[Job]:
    """The jobs that are to be done: without those whose outputs exist, where these are skipped, which is said.

    Raises:
        VqaudioError: two inputs with one output, an input that is its own, outputs that exist already, or pipes that
            other processes are to read or write.
    """
    targets: dict[Path, Path] = {}
    for job in jobs:
        if str(job.target) != "-" and job.target in targets:
            raise VqaudioError(
                f"{targets[job.target]} and {job.source} would both become {job.target}: rename one of them"
            )
        if str(job.source) != "-" and job.target.exists() and job.source.exists() and job.target.samefile(job.source):
            raise VqaudioError(f"{job.source}: input and output are the same file; choose another name for the output")
        targets[job.target] = job.source
    if files.skip_existing:
        left = [job for job in jobs if writes_in_place(job.target) or not job.target.exists()]
        if len(left) < len(jobs) and not files.quiet:
            print(f"{len(jobs) - len(left)} of {len(jobs)} skipped: their outputs exist", file=sys.stderr)
        jobs = left
    else:
        for job in jobs:
            refuse_existing(job.target, files.force)
    files.where().refuse_pipes(jobs)
    return jobs


def _into(folder: Path, path: Path, suffixes: Collection[str], out_suffix: OutSuffix) -> list[Job]:
    def named(file: Path) -> Path:
        return file.with_suffix(out_suffix if isinstance(out_suffix, str) else out_suffix(file))

    if not path.is_dir():
        return [Job(path, folder / named(path).name, makes_folders=True)]
    files = files_in(path, suffixes)
    return [Job(file, folder / named(file).relative_to(path), makes_folders=True) for file in files]


def files_in(folder: Path, suffixes: Collection[str], *, kind: str = "files to convert") -> list[Path]:
    """Those in a folder, and in folders in it, whose names end so.

    Raises:
        VqaudioError: there are none; it says of what ``kind``.
    """
    files = files_below(folder, suffixes)
    if not files:
        raise VqaudioError(f"{folder}: holds no {kind}; expected names ending in {', '.join(sorted(suffixes))}")
    return files


def sounds_in(paths: Iterable[Path]) -> Iterator[Input]:
    """Sound files as they are named, and those in folders.

    Raises:
        VqaudioError: a folder has none.
    """
    from vqaudio.audio.file_source import SUFFIXES  # late: --help does without

    for path in paths:
        yield from map(Input, files_in(path, SUFFIXES, kind="sound files") if path.is_dir() else [path])


def list_made(
    inputs: Sequence[Input],
    how: Converter[Input, Made],
    *,
    where: Where,
    show: Callable[[Made], object] = lambda made: None,
) -> tuple[list[Made], int]:
    """What came of inputs that are listed, not written, and how many failed, each of which is told at once.

    ``show`` is called with each as it comes.
    """
    found: list[Made] = []
    failed = 0
    for report in convert_all(inputs, how, where=where, quiet=False):
        sys.stderr.write(report.said)
        if report.made is None:
            print(f"error: {report.failure}", file=sys.stderr)
            failed += 1
        else:
            found.append(report.made)
            show(report.made)
    return found, failed


def tell_lacks(problems: Iterable[str], failed: int, of: int, could_not: str) -> int:
    """Say what inputs lacked, and of several how many of them could not be what; returns the exit status."""
    problems = list(problems)
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    if failed and of > 1:
        print(f"error: {failed} of {of} files could not be {could_not}", file=sys.stderr)
    return 1 if problems or failed else 0


HERE = Where()


def run_jobs(jobs: list[Job], convert: Callable[[Job], Outcome], *, quiet: bool, where: Where = HERE) -> int:
    """Convert each; a failure is reported and the rest goes on. Returns the exit status.

    Says what became of each, and of all together. What an input lacked is a warning, ``quiet`` or not, and makes the
    status 1 as a failure does. What converts elsewhere than here must be a :class:`vqaudio.cli.converting.Converter`.
    """
    failed = 0
    whole = True
    done: list[Outcome] = []
    started = time.perf_counter()
    for report in convert_all(jobs, convert, where=where, quiet=quiet):
        sys.stderr.write(report.said)
        if report.made is None:
            print(f"error: {report.failure}", file=sys.stderr)
            failed += 1
            continue
        done.append(report.made)
        for problem in report.made.problems:
            print(f"warning: {problem}", file=sys.stderr)
        whole = whole and not report.made.problems and not report.made.damaged
        if not quiet:
            print(f"{_names(report.job)}: {report.made}", file=sys.stderr)
    if len(done) > 1 and not quiet:
        elapsed = None if where.is_here(jobs) else time.perf_counter() - started
        print("\n".join(totals(done, elapsed=elapsed)), file=sys.stderr)
    if failed and len(jobs) > 1:
        print(f"error: {failed} of {len(jobs)} files could not be converted", file=sys.stderr)
    return 0 if whole and not failed else 1


def _names(job: Job) -> str:
    source, target = (
        pipe if str(path) == "-" else str(path) for path, pipe in ((job.source, "stdin"), (job.target, "stdout"))
    )
    return f"{source} -> {target}"


class HiddenBar:
    """A progress bar that nobody sees, so that tqdm need not be imported for it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def update(self, n: float = 1) -> None:
        """So much more is done."""


def seconds_bar(total: float | None, name: str, *, quiet: bool) -> tqdm[Any] | HiddenBar:
    """A progress bar over seconds of sound, of which ``total`` may not be known; hidden off terminals."""
    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of sound [{elapsed}<{remaining}]"
    if total is None:
        form = "{desc}: {n:.0f} s of sound [{elapsed}]"
    return _bar(quiet, total=total, desc=name, bar_format=form)


def rows_bar(total: int | None, name: str, *, quiet: bool) -> tqdm[Any] | HiddenBar:
    """A progress bar over the rows of a table; hidden where standard error is no terminal."""
    return _bar(quiet, total=total, desc=name, unit=" rows", unit_scale=True)


def _bar(quiet: bool, **how: Any) -> tqdm[Any] | HiddenBar:
    if quiet or not sys.stderr.isatty():
        return HiddenBar()
    from tqdm import tqdm

    return tqdm(leave=False, **how)
