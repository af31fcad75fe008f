"""``python -m vqaudio.score IN``: how likely a sound is to a model's prior, in bits per token."""

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
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec


@click.command("score", cls=Command, example="speech.wav")
@click.argument("sounds", nargs=-1, required=True, type=options.PATH, metavar="IN...")
@options.codebooks
@click.option("--condition", default="none", metavar="FIELD=LABEL", help="tell the prior who speaks: speaker=p225")
@click.option("--text", metavar="TEXT", help="what is said, where the model knows text: what it saves is told as well")
@options.model(DEFAULT_MODEL)
@options.own_prior
@options.device
@options.backend
@options.jobs
@options.cluster
@options.as_json
def main(
    sounds: tuple[Path, ...],
    codebooks: int | None,
    condition: str,
    text: str | None,
    model: str,
    prior: Path | None,
    device: str,
    backend: str | None,
    jobs: int,
    cluster: str | None,
    as_json: bool,
) -> int:
    """Print the bits per token by the model's prior, of all codebooks and of each.

    They are counted in chunks, as files have them, over all channels of audio files; of folders, of all such files
    below. Sound like that which the prior learned from costs less. Exits with status 1 where a file is cut off or
    damaged; what is there is counted.

    With --text a sound is one piece of its whole length, and its channels are mixed.
    """
    if text is not None:
        options.refuse_given(("codebooks",), "is not for texts, which go with all codebooks that the prior knows")
    options.refuse_together("cluster", "jobs")
    where, inputs = Where(cluster, jobs, device), list(sounds_in(sounds))
    where.refuse_pipes(inputs)
    how = Scoring(codebooks, condition, text, model, prior, device, backend)
    (how if cluster is None else replace(how, device="cpu")).check()  # who checks needs no GPU
    scores, failed = list_made(inputs, how, where=where)
    found = [score.bits for score in scores]
    if as_json and found:
        print(json.dumps(found, indent=2))
    elif found:
        for one in found:
            if text is not None:
                print(
                    f"{one['file']}: {one['bits_per_token']:.3f} bits per token with its text, "
                    f"{one['untold_bits_per_token']:.3f} without"
                )
                continue
            each = " ".join(f"{bits:.2f}" for bits in one["codebooks"])
            print(
                f"{one['file']}: {one['bits_per_token']:.3f} bits per token ({each} by codebook), "
                f"{one['bits_per_second'] / 1000:.3f} kb/s"
            )
    problems = chain.from_iterable(score.problems for score in scores)
    return tell_lacks(problems, failed, len(inputs), "scored")


@dataclass(frozen=True)
class Score:
    """What is printed of one sound, how long it is, and what it lacks, in sentences."""

    bits: dict[str, Any]
    seconds: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Scoring(Converter[Input, Score]):
    """What scores: a command line's options."""

    codebooks: int | None
    condition: str
    text: str | None
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
        """Do nothing where sound can be scored so.

        Raises:
            ModelError: there is no such model, it has no encoder, no prior or not as many codebooks, or its prior does
                not know the condition.
        """
        self.codec.check_encodes()
        self.codec.check_codebooks(self.codebooks)
        self.codec.prior.labels(self.condition)
        if self.text is not None:
            self.codec.prior.known_text().read(self.text)

    def __call__(self, job: Input) -> Score:
        import numpy as np  # late: --help does without

        from vqaudio.audio.file_source import FileSource

        if self.text is not None:
            return self._told(job.source, self.text)
        with FileSource(job.source) as sound:
            bits = self.codec.score(sound, n_codebooks=self.codebooks, condition=self.condition)
            seconds = sound.channels * sound.n_samples / sound.sample_rate
        tokens = sum(part.size for part in bits)
        total = float(sum(part.sum() for part in bits))
        told = {
            "file": str(job.source),
            "bits_per_token": round(total / max(1, tokens), 4),
            "bits_per_second": round(total / seconds, 2) if seconds else 0.0,
            "tokens": tokens,
            "codebooks": [round(float(np.mean(part)), 4) if part.size else 0.0 for part in bits],
        }
        return Score(told, seconds / sound.channels, sound.problems)

    def _told(self, path: Path, text: str) -> Score:
        """A score with a text beside that without."""
        from vqaudio.audio.file_source import FileSource

        with FileSource(path) as sound:
            wav, problems, seconds = sound.read(0, sound.n_samples), sound.problems, sound.n_samples / sound.sample_rate
            found = self.codec.score_text(wav, sound.sample_rate, text, condition=self.condition)
        told = {
            "file": str(path),
            "text": text,
            "bits_per_token": round(found.told / max(1, found.tokens), 4),
            "untold_bits_per_token": round(found.untold / max(1, found.tokens), 4),
            "bits": round(found.told, 2),
            "untold_bits": round(found.untold, 2),
            "tokens": found.tokens,
        }
        return Score(told, seconds, problems)


if __name__ == "__main__":
    raise SystemExit(main())
