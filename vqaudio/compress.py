"""``python -m vqaudio.compress IN OUT``: audio, or a table of numbers, to ``.vq``."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from vqaudio.audio import SUFFIXES
from vqaudio.cli import command
from vqaudio.container import ENTROPY_MODES
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
from vqaudio.registry import DEFAULT_MODEL
from vqaudio.series import SUFFIXES as TABLES
from vqaudio.series import MaxError, compress_file, suffix_of

SOUND_OPTIONS = ("codebooks", "kbps", "chunk", "entropy", "condition", "rdo", "prior", "device")


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio compress",
        description="Compress audio: WAV, FLAC, OGG, MP3, Opus and whatever else libsndfile reads, at any rate, with "
        "any number of channels. Or time series and other tables of numbers: CSV, Parquet, NPY and NPZ; integers and "
        "decimals are kept exactly unless --max-error is given. - stands for standard input (audio) or output.",
    )
    add_file_arguments(parser, "audio or table", ".vq file")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--codebooks", type=int, metavar="N", help="how many codebooks to use; fewer are smaller (default: all)"
    )
    rate.add_argument(
        "--kbps", type=float, metavar="R", help="the most codebooks that fit R kb/s per channel without a prior"
    )
    parser.add_argument(
        "--model",
        metavar="NAME|PATH",
        help=f"default: {DEFAULT_MODEL} for sound; for tables of up to 200,000 values series-base, used where it "
        "makes the file smaller (none: not at all, which is quicker)",
    )
    parser.add_argument(
        "--chunk", type=float, default=5.0, metavar="S", help="seconds in a chunk (default: %(default)g)"
    )
    parser.add_argument(
        "--entropy",
        choices=ENTROPY_MODES,
        help="make files smaller by what came before in a chunk (context) or by a trained prior; none is quicker "
        "(default: prior where the model has one, else none)",
    )
    parser.add_argument(
        "--condition", default="none", metavar="FIELD=LABEL", help="tell the prior who speaks: speaker=p225"
    )
    parser.add_argument(
        "--rdo",
        type=float,
        default=0.0,
        metavar="LAMBDA",
        help="λ, squared distance per bit: spend codes where they are heard; 0.1 to 0.6, the more the smaller, slowly "
        "(default: 0, the nearest codes)",
    )
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior, in place of the model's own")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default: %(default)s)")
    table = parser.add_argument_group(
        "tables", "for .csv, .parquet, .npy and .npz, which take none of the above but --model"
    )
    table = table.add_mutually_exclusive_group()
    table.add_argument(
        "--max-error",
        metavar="E|P%",
        help="no decoded number is further off than E, or than so much of its column's range; clocks stay exact",
    )
    table.add_argument("--lossless", action="store_true", help="keep all floats to the bit and all text to the letter")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    for_tables = options.max_error is not None or options.lossless
    max_error = None if options.max_error is None else MaxError.parse(options.max_error)
    if not 0.1 <= options.chunk <= 60:
        parser.error(f"--chunk {options.chunk:g}: expected 0.1 to 60 seconds")
    if not 0 <= options.rdo < 1000 or (options.rdo and options.entropy not in (None, "prior")):
        parser.error(f"--rdo {options.rdo:g}: expected 0 to 1000, and --entropy prior with it")
    if options.condition != "none" and options.entropy not in (None, "prior"):
        parser.error(f"--condition {options.condition} needs --entropy prior")
    jobs = list_jobs(options, TABLES if for_tables else SUFFIXES, ".vq")
    sounds = [job.source for job in jobs if not suffix_of(job.source)]
    if sounds and for_tables:
        parser.error(f"{sounds[0]}: --max-error and --lossless are for tables, which end in {', '.join(TABLES)}")
    if len(sounds) < len(jobs):
        refuse_set(parser, options, SOUND_OPTIONS, f"is for sound; tables ({', '.join(TABLES)}) do not take it")
    sound = _sound_converter(options) if sounds else None

    def convert(job: Job) -> str:
        if sound is not None and not suffix_of(job.source):
            return sound(job)
        return _compress_table(job, max_error, options)

    return run_jobs(jobs, convert, options.quiet)


def _compress_table(job: Job, max_error: MaxError | None, options: argparse.Namespace) -> str:
    started = time.perf_counter()
    with rows_bar(None, job.source.name, options.quiet) as bar:
        table, size = compress_file(job.source, job.target, max_error, options.lossless, bar.update, options.model)
    return rows_summary(job, table.n_rows, len(table.columns), time.perf_counter() - started, size)


def _sound_converter(options: argparse.Namespace) -> Callable[[Job], str]:
    """What compresses sound with the model that the options name."""
    from vqaudio.codec import load  # after the arguments are known to be good: torch takes seconds to import

    codec = load(options.model or DEFAULT_MODEL, options.device, options.prior)
    wanted = options.codebooks if options.kbps is None else codec.codebooks_for(options.kbps)
    n_codebooks = codec.check_codebooks(wanted)
    from vqaudio.audio import FileSource
    from vqaudio.files import atomic_write

    def convert(job: Job) -> str:
        started = time.perf_counter()
        with FileSource(job.source) as sound:
            seconds = sound.n_samples / sound.sample_rate
            with seconds_bar(seconds, job.source.name, options.quiet) as bar, atomic_write(job.target) as file:
                size = codec.write(
                    sound,
                    file,
                    n_codebooks,
                    options.chunk,
                    bar.update,
                    options.entropy,
                    options.condition,
                    options.rdo,
                )
        return summary(job, seconds, time.perf_counter() - started, size)

    return convert


if __name__ == "__main__":
    raise SystemExit(main())
