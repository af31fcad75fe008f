"""``python -m vqaudio.compress IN OUT``: audio to ``.vq``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from vqaudio.audio import SUFFIXES
from vqaudio.cli import command
from vqaudio.container import ENTROPY_MODES
from vqaudio.jobs import Job, add_file_arguments, list_jobs, run_jobs, seconds_bar, summary
from vqaudio.registry import DEFAULT_MODEL


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio compress",
        description="Compress audio: WAV, FLAC, OGG, MP3, Opus and whatever else libsndfile reads, at any rate, with "
        "any number of channels. - stands for standard input or output.",
    )
    add_file_arguments(parser, "audio", ".vq file")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--codebooks", type=int, metavar="N", help="how many codebooks to use; fewer are smaller (default: all)"
    )
    rate.add_argument(
        "--kbps", type=float, metavar="R", help="the most codebooks that fit R kb/s per channel without a prior"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|PATH", help="default: %(default)s")
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
        help="choose codes that are cheaper though not the nearest: squared distance per bit (default: 0)",
    )
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior, in place of the model's own")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default: %(default)s)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    if not 0.1 <= options.chunk <= 60:
        parser.error(f"--chunk {options.chunk:g}: expected 0.1 to 60 seconds")
    if not 0 <= options.rdo < 1000 or (options.rdo and options.entropy not in (None, "prior")):
        parser.error(f"--rdo {options.rdo:g}: expected 0 to 1000, and --entropy prior with it")
    if options.condition != "none" and options.entropy not in (None, "prior"):
        parser.error(f"--condition {options.condition} needs --entropy prior")
    jobs = list_jobs(options, SUFFIXES, ".vq")
    from vqaudio.codec import load  # after the arguments are known to be good: torch takes seconds to import

    codec = load(options.model, options.device, options.prior)
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

    return run_jobs(jobs, convert, options.quiet)


if __name__ == "__main__":
    raise SystemExit(main())
