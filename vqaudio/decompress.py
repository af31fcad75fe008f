"""``python -m vqaudio.decompress IN OUT``: ``.vq`` to audio, or to the table that it holds."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.files import input_name, open_input
from vqaudio.jobs import (
    Job,
    add_file_arguments,
    list_jobs,
    refuse_set,
    rows_bar,
    rows_summary,
    run_jobs,
    seconds_bar,
    summary,
)
from vqaudio.series import Stored, model_named, starts_series, suffix_of, write_file

if TYPE_CHECKING:
    from vqaudio.codec import Codec
    from vqaudio.codec import Stored as StoredSound

SOUND_OPTIONS = ("start", "end", "subtype", "speaker", "prior", "device")


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio decompress",
        description="Decode .vq files to WAV, FLAC, W64 or OGG, with the rate, channels and length of what was "
        "compressed; tables to CSV, Parquet, NPY or NPZ. - stands for standard input or output (a WAV, or the table in "
        "its own format). Exits with status 1 where a part was damaged; the rest is decoded, with silence or empty "
        "cells in its place.",
    )
    add_file_arguments(parser, ".vq", "WAV file or table")
    parser.add_argument("--start", type=float, metavar="S", help="decode from this second on")
    parser.add_argument("--end", type=float, metavar="S", help="decode up to this second")
    parser.add_argument(
        "--subtype",
        choices=("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT"),
        help="samples in the output (default: PCM_16)",
    )
    parser.add_argument(
        "--speaker", default="", metavar="NAME", help="in whose voice, where the model knows any (vqaudio convert)"
    )
    parser.add_argument("--model", metavar="NAME|PATH", help="default: the shipped model that wrote the file")
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior that is not shipped here")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default: %(default)s)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    jobs = list_jobs(options, {".vq"}, _out_suffix)
    codecs: dict[str | Path, Codec] = {}
    damaged = False

    def convert(job: Job) -> str:
        nonlocal damaged
        started = time.perf_counter()
        with open_input(job.source) as file:
            name = input_name(job.source)
            if starts_series(file):
                refuse_set(parser, options, SOUND_OPTIONS, f"is for sound, and {name} holds a table")
                table = Stored(file.read(), name, model_named(options.model) if options.model else None)
                line = _write_table(table, job, options.quiet)
                damaged = damaged or bool(table.damage)
                return line
            if suffix_of(job.target):
                raise VqaudioError(f"{job.target}: {name} holds sound; name an output like {job.target.stem}.wav")
            from vqaudio.codec import load, model_for  # once it is known to be needed: torch takes seconds to import

            chosen = options.model or model_for(file, name)
            if chosen not in codecs:
                codecs[chosen] = load(chosen, options.device, options.prior)
            stored = codecs[chosen].open(file, name, options.speaker)
            start, stop = _span(stored, options.start, options.end)
            _write(stored, start, stop, job, options)
        rate = stored.sound.sample_rate
        heard = [damage for damage in stored.damage if damage.start * rate < stop and damage.stop * rate > start]
        for problem in [*stored.problems, *heard]:
            print(f"damaged: {name}: {problem}", file=sys.stderr)
            damaged = True
        return summary(job, (stop - start) / rate, time.perf_counter() - started)

    status = run_jobs(jobs, convert, options.quiet)
    return 1 if damaged else status


def _out_suffix(path: Path) -> str:
    """What the output of a file is called with ``--out-dir``."""
    if not path.is_file():  # which will be said when it is opened
        return ".wav"
    with open_input(path) as file:
        return Stored(file.read(), str(path)).suffix if starts_series(file) else ".wav"


def _write_table(stored: Stored, job: Job, quiet: bool) -> str:
    """Decode a table into the target, and tell what is wrong with it; returns the summary."""
    started = time.perf_counter()
    with rows_bar(stored.header.n_rows, job.source.name, quiet) as bar:
        table = stored.table(bar.update)
    for problem in stored.damage:
        print(f"damaged: {stored.name}: {problem}", file=sys.stderr)
    write_file(table, job.target, stored.name)
    return rows_summary(job, table.n_rows, len(table.columns), time.perf_counter() - started)


def _write(stored: StoredSound, start: int, stop: int, job: Job, options: argparse.Namespace) -> None:
    """Decode samples ``start`` to ``stop`` into the target."""
    from vqaudio.sink import write_sound

    with seconds_bar((stop - start) / stored.sound.sample_rate, job.source.name, options.quiet) as bar:
        write_sound(stored.sound, job.target, start, stop, options.subtype, bar.update)


def _span(stored: StoredSound, start: float | None, end: float | None) -> tuple[int, int]:
    """Seconds to samples.

    Raises:
        VqaudioError: a span that is empty or starts outside the sound.
    """
    rate, total = stored.sound.sample_rate, stored.n_samples
    seconds = total / rate
    first = 0.0 if start is None else start
    last = seconds if end is None else min(end, seconds)
    if 0 <= first < last:  # false for NaN too
        span = round(first * rate), round(last * rate)
        if span[0] < span[1]:
            return span
    if total == 0:
        raise VqaudioError(f"{stored.reader.name}: holds no sound that can be decoded")
    raise VqaudioError(
        f"{stored.reader.name}: nothing to decode from {first:g} to {last:g} s in {seconds:.3f} s of sound: "
        "expected 0 <= START < END"
    )


if __name__ == "__main__":
    raise SystemExit(main())
