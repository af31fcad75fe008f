"""The stages of the recipe; ``bash recipes/digits/run.sh --help`` lists them."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.stages import Command, Recipe, main, module, stage


class Digits(Recipe):
    """Train a small codec and a prior on the Free Spoken Digit Dataset, sample digits, and have them judged."""

    name, data, lengths = "digits", "speech/digits", {"codec": 14.0, "prior": 10.0}

    @stage(makes="data/manifest.csv")
    def prepare(self) -> Iterator[Command]:
        """List the recordings, with who says which digit."""
        yield module("recipes.digits.prepare", self.folder, self.place("data"))

    @stage(makes="codec/model.safetensors", needs=["prepare"])
    def codec(self) -> Iterator[Command]:
        """Train the codec."""
        quick = {"quantize_after": 2, "data.valid_seconds": 2} if self.quick else {}
        yield self.train("codec.yaml", "codec", settings={"data.folder": self.place("data")} | quick)

    @stage(makes="tokens", needs=["prepare", "codec"])
    def tokens(self) -> Iterator[Command]:
        """Code the recordings, and augmented copies of those for training, up to one second."""
        copies = ["--versions", 1 if self.quick else 4, "--pad-to", 1, "--jobs", self.jobs]
        model = self.place("codec/model.safetensors")
        yield module("vqaudio.tokenize", self.place("data"), self.place("tokens"), "--model", model, *copies)

    @stage(makes="prior/model.int8.safetensors", needs=["codec", "tokens"])
    def prior(self) -> Iterator[Command]:
        """Train the prior over these codes, told digit and speaker."""
        codec = self.place("codec/model.safetensors")
        yield self.train("prior.yaml", "prior", settings={"data.folder": self.place("tokens"), "codec": codec})

    @stage(makes="report/report.md", needs=["prepare", "codec", "tokens", "prior"])
    def report(self) -> Iterator[Command]:
        """Sample clips of each digit by each speaker, and have all judged."""
        yield module("recipes.digits.report", self.out, "--clips", 1 if self.quick else 10)


if __name__ == "__main__":
    raise SystemExit(main(Digits))
