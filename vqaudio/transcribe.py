"""``python -m vqaudio.transcribe IN``: the text that makes a sound likeliest to a model's prior."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vqaudio.cli import options
from vqaudio.cli.converting import Converter, Input, Where
from vqaudio.cli.jobs import list_made, sounds_in, tell_lacks
from vqaudio.cli.program import Command
from vqaudio.prior import BEAM

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec

LISTED = 5


@click.command("transcribe", cls=Command, example="digits.wav --model digits")
@click.argument("sounds", nargs=-1, required=True, type=options.PATH, metavar="IN...")
@click.option("--condition", default="none", metavar="FIELD=LABEL", help="tell the prior who speaks: speaker=theo")
@click.option(
    "--beam",
    type=click.IntRange(1, 4096),
    default=BEAM,
    show_default=True,
    metavar="N",
    help="how many ways to say texts are followed at a time",
)
@options.model(default="digits")
@options.own_prior
@options.device
@options.backend
@options.jobs
@options.cluster
@options.as_json
def main(
    sounds: tuple[Path, ...],
    condition: str,
    beam: int,
    model: str,
    prior: Path | None,
    device: str,
    backend: str | None,
    jobs: int,
    cluster: str | None,
    as_json: bool,
) -> int:
    """Print what is said in sound files, in the words that the model knows.

    The text is the one that, together with the sound, is likeliest to the model's prior. Of folders all sound files
    below are heard. Channels are mixed. Exits with status 1 where a file is cut off or damaged; what is there is heard.
    With --json the next likeliest texts are told too, and the bits of each together with the sound.
    """
    options.refuse_together("cluster", "jobs")
    where, inputs = Where(cluster, jobs, device), list(sounds_in(sounds))
    where.refuse_pipes(inputs)
    how = Transcribing(condition, beam, model, prior, device, backend)
    (how if cluster is None else replace(how, device="cpu")).check()  # who checks needs no GPU

    def show(one: Transcript) -> None:
        if not as_json:
            print(f"{one.told['file']}: {one.told['text']}", flush=True)

    found, failed = list_made(inputs, how, where=where, show=show)
    if as_json and found:
        print(json.dumps([one.told for one in found], indent=2, ensure_ascii=False))
    problems = chain.from_iterable(one.problems for one in found)
    return tell_lacks(problems, failed, len(inputs), "heard")


@dataclass(frozen=True)
class Transcript:
    """What is printed of one sound, how long it is, and what it lacks, in sentences."""

    told: dict[str, Any]
    seconds: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Transcribing(Converter[Input, Transcript]):
    """What transcribes: a command line's options."""

    condition: str
    beam: int
    model: str
    prior: Path | None
    device: str
    backend: str | None

    @cached_property
    def codec(self) -> Codec:
        """The model in use."""
        from vqaudio.codec.codec import load  # after the arguments are known to be good: networks take long to import

        return load(self.model, self.device, prior=self.prior, backend=self.backend)

    def check(self) -> None:
        """Do nothing where sound can be heard so.

        Raises:
            ModelError: there is no such model, it has no encoder, no prior or none that knows text, or its prior does
                not know the condition.
        """
        self.codec.check_encodes()
        self.codec.prior.known_text()
        self.codec.prior.labels(self.condition)

    def __call__(self, job: Input) -> Transcript:
        from vqaudio.audio.file_source import FileSource

        with FileSource(job.source) as sound:
            wav, rate, problems = sound.read(0, sound.n_samples), sound.sample_rate, sound.problems
        found = self.codec.transcribe(wav, rate, condition=self.condition, beam=self.beam) if wav.size else []
        told = {
            "file": str(job.source),
            "text": found[0].text if found else "",
            "likeliest": [{"text": one.text, "bits": round(one.bits, 2)} for one in found[:LISTED]],
        }
        return Transcript(told, wav.shape[1] / rate, problems)


if __name__ == "__main__":
    raise SystemExit(main())
