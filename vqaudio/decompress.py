"""``python -m vqaudio.decompress IN OUT``: ``.vq`` to audio, or to the table that it holds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from vqaudio.audio.sink import known_suffix, write_sound
from vqaudio.cli import options
from vqaudio.cli.jobs import Files, Job, file_options, list_jobs, rows_bar, run_jobs, seconds_bar
from vqaudio.cli.options import Seconds, refuse_given
from vqaudio.cli.outcomes import Outcome, SoundDone, TableDone
from vqaudio.cli.program import Command
from vqaudio.container import Reader
from vqaudio.container.streaming import StreamingReader
from vqaudio.errors import ContainerError, VqaudioError
from vqaudio.files import copy_to_temporary, input_name, open_input, writes_in_place
from vqaudio.files.pipe import ENDLESS, Pipe, is_pipe
from vqaudio.series import Stored, is_series, model_named, starts_series, suffix_of, write_file

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec
    from vqaudio.codec.codec import Stored as StoredSound

SOUND_OPTIONS = ("start", "end", "subtype", "speaker", "prior", "device")


@click.command("decompress", cls=Command, example="speech.vq speech.wav --start 1:00 --end 1:15")
@file_options(".vq", "WAV file or table")
@click.option("--start", type=Seconds(0), metavar="TIME", help="decode from this time on, in seconds or as 1:23.5")
@click.option("--end", type=Seconds(0), metavar="TIME", help="decode up to this time")
@click.option(
    "--subtype",
    type=click.Choice(("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT")),
    help="samples in the output (default: PCM_16)",
)
@click.option(
    "--speaker", default="", metavar="NAME", help="in whose voice, where the model knows any (vqaudio convert)"
)
@options.model(help="default: the shipped model that wrote the file")
@options.any_prior
@options.device
def main(
    files: Files,
    start: float | None,
    end: float | None,
    subtype: str | None,
    speaker: str,
    model: str | None,
    prior: Path | None,
    device: str,
) -> int:
    """Decode .vq files.

    Sound becomes WAV, FLAC, W64 or OGG, with the rate, channels and length of what was compressed; tables become CSV,
    Parquet, NPY or NPZ. - stands for standard input or output (a WAV, or the table in its own format).
    Without OUT, speech.vq becomes speech.wav beside it.

    Exits with status 1 where a part was damaged; the rest is decoded, with silence or empty cells in its place.
    """
    jobs = list_jobs(files, {".vq"}, _out_suffix)
    codecs: dict[str | Path, Codec] = {}
    damaged = False

    def convert(job: Job) -> Outcome:
        nonlocal damaged
        name = input_name(job.source)
        with _opened(job, is_part=not (start is None and end is None)) as file:
            if not isinstance(file, Reader) and starts_series(file):
                refuse_given(SOUND_OPTIONS, f"is for sound, and {name} holds a table")
                table = Stored(file.read(), name, model_named(model) if model else None)
                outcome = _write_table(table, job, files.quiet)
                damaged = damaged or bool(table.damage)
                return outcome
            if suffix_of(job.target):
                raise VqaudioError(f"{job.target}: {name} holds sound; name an output like {job.target.stem}.wav")
            known_suffix(job.target)
            from vqaudio.codec.codec import (  # once it is known to be needed: torch takes seconds to import
                load,
                model_of,
            )

            reader = file if isinstance(file, Reader) else Reader(cast(Any, file), name)
            chosen = model or model_of(reader)
            if chosen not in codecs:
                codecs[chosen] = load(chosen, device, prior)
            started = time.perf_counter()
            stored = codecs[chosen].stored(reader, speaker)
            rate = stored.sound.sample_rate
            first, stop = _span(stored, start, end)
            total = (stop - first) / rate if stop < ENDLESS else None
            with seconds_bar(total, job.source.name, files.quiet) as bar:
                loss = write_sound(stored.sound, job.target, first, stop, subtype, bar.update)
            if loss:
                print(f"warning: {loss}", file=sys.stderr)
            stop = min(stop, stored.n_samples)
        heard = [damage for damage in stored.damage if damage.start * rate < stop and damage.stop * rate > first]
        for problem in [*stored.problems, *heard]:
            print(f"damaged: {name}: {problem}", file=sys.stderr)
            damaged = True
        return SoundDone((stop - first) / rate, time.perf_counter() - started)

    status = run_jobs(jobs, convert, files.quiet)
    return 1 if damaged else status


@contextmanager
def _opened(job: Job, is_part: bool) -> Iterator[IO[bytes] | StreamingReader]:
    """The input, chunk by chunk where it can be heard as it arrives: all of a sound, from one pipe to the next."""
    to_wav = job.target.suffix.lower() in ("", ".wav")
    if is_part or not (is_pipe(job.source) and writes_in_place(job.target) and to_wav):
        with open_input(job.source) as file:
            yield file
        return
    with Pipe(job.source) as pipe:
        if is_series(pipe.peek(4)):
            with copy_to_temporary(pipe, pipe.name) as file:
                yield file
        else:
            with StreamingReader(pipe) as reader:
                yield reader


def _out_suffix(path: Path) -> str:
    """What the output of a file is called with ``--out-dir``."""
    if not path.is_file():  # which will be said when it is opened
        return ".wav"
    with open_input(path) as file:
        if not starts_series(file):
            return ".wav"
        try:
            return Stored(file.read(), str(path)).suffix
        except ContainerError:  # which will be said when its turn comes, and keeps no other file waiting
            return ".csv"


def _write_table(stored: Stored, job: Job, quiet: bool) -> TableDone:
    """Decode a table into the target, and tell what is wrong with it."""
    started = time.perf_counter()
    with rows_bar(stored.header.n_rows, job.source.name, quiet) as bar:
        table = stored.table(bar.update)
    for problem in stored.damage:
        print(f"damaged: {stored.name}: {problem}", file=sys.stderr)
    write_file(table, job.target, stored.name)
    return TableDone.of(table.n_rows, len(table.columns), time.perf_counter() - started)


def _span(stored: StoredSound, start: float | None, end: float | None) -> tuple[int, int]:
    """Seconds to samples.

    Raises:
        VqaudioError: a span that is empty or starts outside the sound.
    """
    stored.reader.reach(0)
    rate, total = stored.sound.sample_rate, stored.n_samples
    if total >= ENDLESS:
        return 0, ENDLESS
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
