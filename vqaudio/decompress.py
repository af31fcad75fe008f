"""``python -m vqaudio.decompress IN OUT``: ``.vq`` to audio."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.jobs import Job, add_file_arguments, list_jobs, run_jobs, seconds_bar, summary

if TYPE_CHECKING:
    from vqaudio.codec import Codec, Stored


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio decompress",
        description="Decode .vq files to WAV, FLAC, W64 or OGG, with the rate, channels and length of what was "
        "compressed. - stands for standard input or output (a WAV). Exits with status 1 where a part was damaged; the "
        "rest is decoded, with silence in its place.",
    )
    add_file_arguments(parser, ".vq", "WAV file")
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
    options = arguments().parse_args(argv)
    jobs = list_jobs(options, {".vq"}, ".wav")
    from vqaudio.codec import load, model_for  # after the arguments are known to be good: torch takes seconds to import
    from vqaudio.files import input_name, open_input

    codecs: dict[str | Path, Codec] = {}
    damaged = False

    def convert(job: Job) -> str:
        nonlocal damaged
        started = time.perf_counter()
        with open_input(job.source) as file:
            name = input_name(job.source)
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


def _write(stored: Stored, start: int, stop: int, job: Job, options: argparse.Namespace) -> None:
    """Decode samples ``start`` to ``stop`` into the target."""
    from vqaudio.sink import write_sound

    with seconds_bar((stop - start) / stored.sound.sample_rate, job.source.name, options.quiet) as bar:
        write_sound(stored.sound, job.target, start, stop, options.subtype, bar.update)


def _span(stored: Stored, start: float | None, end: float | None) -> tuple[int, int]:
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
