"""The stages of the recipe; ``bash recipes/digits/run.sh --help`` lists them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from recipes.stages import Command, Recipe, main, module, stage


class Digits(Recipe):
    """Train a codec and a prior that says strings of digits, in six voices, and have what it says judged."""

    name, data, lengths = "digits", "speech/digits", {"codec": 137.0, "prior": 38.0}

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Where the codec's other speech is."""
        parser.add_argument(
            "--speech",
            type=Path,
            metavar="FOLDER",
            help="speech of others, from which the codec learns too (default: with the usual recordings, the folder "
            "that they are in; with others none)",
        )

    @property
    def speech(self) -> Path | None:
        """Where more speech for the codec is."""
        if self.options.folder or self.quick:
            return self.options.speech
        return self.options.speech or self.folder.parent

    @stage(makes="data/manifest.csv")
    def prepare(self) -> Iterator[Command]:
        """List the takes, with who says which digit, and other speech for the codec."""
        more = ["--speech", self.speech] if self.speech else []
        yield module("recipes.digits.prepare", self.folder, self.place("data"), *more)

    @stage(makes="codec/model.safetensors", needs=["prepare"])
    def codec(self) -> Iterator[Command]:
        """Train the codec."""
        quick = {"quantize_after": 2, "data.valid_seconds": 2} if self.quick else {}
        alone = {} if self.speech else {"data.corpora": "[digits]", "data.weights": "{}"}
        yield self.train("codec.yaml", "codec", settings={"data.folder": self.place("data")} | alone | quick)

    @stage(makes="strings/manifest.csv", needs=["prepare"])
    def strings(self) -> Iterator[Command]:
        """Put strings of digits together from takes."""
        counts = ["--train", 24, "--valid", 6] if self.quick else []
        yield module("recipes.digits.compose", self.place("data"), self.place("strings"), *counts)

    @stage(makes="tokens", needs=["strings", "codec"])
    def tokens(self) -> Iterator[Command]:
        """Code the strings, and an augmented copy of those for training."""
        copies = ["--versions", 1, "--jobs", self.jobs]
        model = self.place("codec/model.safetensors")
        yield module("vqaudio.tokenize", self.place("strings"), self.place("tokens"), "--model", model, *copies)

    @stage(makes="prior/model.int8.safetensors", needs=["codec", "tokens"])
    def prior(self) -> Iterator[Command]:
        """Train the prior over these codes and their text, told the speaker."""
        codec = self.place("codec/model.safetensors")
        yield self.train("prior.yaml", "prior", settings={"data.folder": self.place("tokens"), "codec": codec})

    @stage(makes="judge.pt", needs=["prepare"])
    def judge(self) -> Iterator[Command]:
        """Train the judges of digits and speakers, on real takes alone."""
        yield module("recipes.digits.judge", self.place("data"), self.place("judge.pt"), *self._steps(3, "--steps"))

    @stage(makes="report/report.md", needs=["prepare", "codec", "strings", "tokens", "prior", "judge"])
    def report(self) -> Iterator[Command]:
        """Draw strings, and have them and real ones judged and transcribed."""
        yield module("recipes.digits.report", self.out, *self._steps(6, "--strings"))

    def _steps(self, few: int, option: str) -> list[object]:
        return [option, few] if self.quick else []


if __name__ == "__main__":
    raise SystemExit(main(Digits))
