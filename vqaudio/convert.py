"""``python -m vqaudio.convert IN OUT --speaker NAME``: what is said in a recording, in another speaker's voice."""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import click

from vqaudio.cli import options
from vqaudio.cli.converting import Converter, Job
from vqaudio.cli.jobs import Files, file_options, list_jobs, run_jobs, seconds_bar
from vqaudio.cli.outcomes import SoundDone
from vqaudio.cli.program import Command

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec

VOICES = "voices-16k"


@click.command("convert", cls=Command, example="speech.wav other.wav --speaker p226")
@file_options("audio", "WAV file", shown="[IN OUT]")
@click.option("--speaker", default="", metavar="NAME", help="in whose voice; --list-speakers names them")
@click.option("--list-speakers", is_flag=True, help="print the speakers that the model knows, and stop")
@click.option(
    "--codebooks", type=int, metavar="N", help="how many codebooks to use; fewer leave less of the source's voice"
)
@options.model(VOICES)
@options.device
@options.backend
def main(
    files: Files,
    speaker: str,
    list_speakers: bool,
    codebooks: int | None,
    model: str,
    device: str,
    backend: str | None,
) -> int:
    """Say what a recording says in another speaker's voice.

    The model's codes hold what is said, and its decoder is told who says it. Exits with status 1 where a recording is
    cut off or damaged; what is there is converted.
    """
    from vqaudio.audio.file_source import SUFFIXES  # late: --help does without
    from vqaudio.audio.sink import known_suffix

    if not list_speakers and not speaker:
        raise click.UsageError("--speaker NAME is needed; --list-speakers prints whom there is")
    jobs = [] if list_speakers else list_jobs(files, SUFFIXES, out_suffix=".wav", may_omit_output=False)
    for job in jobs:
        known_suffix(job.target)
    how = Converting(speaker, codebooks, model, device, backend, files.quiet)
    codec = how.codec if files.cluster is None else replace(how, device="cpu").codec  # who checks needs no GPU
    if list_speakers:
        print("\n".join(codec.speakers) or f"{codec.name} knows no speakers")
        return 0
    codec.check_encodes()
    codec.check_speaker(speaker)
    codec.check_codebooks(codebooks)

    return run_jobs(jobs, how, quiet=files.quiet, where=files.where(device))


@dataclass(frozen=True)
class Converting(Converter[Job, SoundDone]):
    """What converts: a command line's options."""

    speaker: str
    codebooks: int | None
    model: str
    device: str
    backend: str | None
    quiet: bool

    @cached_property
    def codec(self) -> Codec:
        """The model in use."""
        from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import

        return load(self.model, self.device, backend=self.backend)

    def __call__(self, job: Job) -> SoundDone:
        codec, started = self.codec, time.perf_counter()
        seconds, problems = _convert(codec, job, self.speaker, self.codebooks, self.quiet)
        return SoundDone(seconds, time.perf_counter() - started, problems=problems)


def _convert(codec: Codec, job: Job, speaker: str, codebooks: int | None, quiet: bool) -> tuple[float, tuple[str, ...]]:
    """Code the source and decode it to the target; returns its length in seconds, and what it lacks.

    Only codes are held in memory.
    """
    from vqaudio.audio.file_source import FileSource
    from vqaudio.audio.sink import write_sound
    from vqaudio.codec.opened import open_vq
    from vqaudio.codec.options import CodingOptions

    coded = io.BytesIO()
    with FileSource(job.source) as sound:
        seconds = sound.n_samples / sound.sample_rate
        with seconds_bar(2 * seconds, job.source.name, quiet=quiet) as bar:
            codec.write(sound, coded, options=CodingOptions(n_codebooks=codebooks, entropy="none"), done=bar.update)
            coded.seek(0)
            loss = write_sound(codec.open(open_vq(coded, name=str(job.source)), speaker), job.target, done=bar.update)
    if loss:
        print(f"warning: {loss}", file=sys.stderr)
    return seconds, sound.problems


if __name__ == "__main__":
    raise SystemExit(main())
