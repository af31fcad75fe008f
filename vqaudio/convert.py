"""``python -m vqaudio.convert IN OUT --speaker NAME``: what is said in a recording, in another speaker's voice."""

from __future__ import annotations

import argparse
import io
import time
from typing import TYPE_CHECKING

from vqaudio.audio import SUFFIXES
from vqaudio.cli import command
from vqaudio.jobs import Job, add_file_arguments, list_jobs, run_jobs, seconds_bar, summary

if TYPE_CHECKING:
    from vqaudio.codec import Codec

VOICES = "voices-16k"


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio convert",
        description="Say what a recording says in another speaker's voice, by a model whose codes hold what is said "
        "and whose decoder is told who says it.",
    )
    add_file_arguments(parser, "audio", "WAV file", optional=True)
    parser.add_argument("--speaker", default="", metavar="NAME", help="in whose voice; --list-speakers names them")
    parser.add_argument(
        "--list-speakers", action="store_true", help="print the speakers that the model knows, and stop"
    )
    parser.add_argument(
        "--codebooks", type=int, metavar="N", help="how many codebooks to use; fewer leave less of the source's voice"
    )
    parser.add_argument("--model", default=VOICES, metavar="NAME|PATH", help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 (default: %(default)s)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    if not options.list_speakers and not options.speaker:
        parser.error("--speaker NAME is needed; --list-speakers prints whom there is")
    jobs = [] if options.list_speakers else list_jobs(options, SUFFIXES, ".wav")
    from vqaudio.codec import load  # after the arguments are known to be good: torch takes seconds to import

    codec = load(options.model, options.device)
    if options.list_speakers:
        print("\n".join(codec.speakers) or f"{codec.name} knows no speakers")
        return 0
    codec.check_speaker(options.speaker)
    codec.check_codebooks(options.codebooks)

    def convert(job: Job) -> str:
        started = time.perf_counter()
        seconds = _convert(codec, job, options)
        return summary(job, seconds, time.perf_counter() - started)

    return run_jobs(jobs, convert, options.quiet)


def _convert(codec: Codec, job: Job, options: argparse.Namespace) -> float:
    """Code the source and decode it to the target; returns its length in seconds. Only codes are held in memory."""
    from vqaudio.audio import FileSource
    from vqaudio.sink import write_sound

    coded = io.BytesIO()
    with FileSource(job.source) as sound:
        seconds = sound.n_samples / sound.sample_rate
        with seconds_bar(2 * seconds, job.source.name, options.quiet) as bar:
            codec.write(sound, coded, options.codebooks, done=bar.update, entropy="none")
            coded.seek(0)
            write_sound(codec.open(coded, str(job.source), options.speaker).sound, job.target, done=bar.update)
    return seconds


if __name__ == "__main__":
    raise SystemExit(main())
