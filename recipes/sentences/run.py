"""The stages of the recipe; ``bash recipes/sentences/run.sh --help`` lists them."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.stages import Command, Recipe, main, module, stage

CODEC = "speech-16k-v4"


class Sentences(Recipe):
    """Train a prior over sentences letter by letter, and measure what their text tells of their sound.

    The codec is the shipped speech-16k-v4; the folder needs transcripts.csv.
    """

    name, data, lengths = "sentences", "speech", {"prior": 60.0}

    @stage(makes="data/manifest.csv")
    def prepare(self) -> Iterator[Command]:
        """Find when each letter is said."""
        extent = ["--limit", 8] if self.quick else []
        yield module("recipes.sentences.prepare", self.folder, self.place("data"), *extent)

    @stage(makes="tokens", needs=["prepare"])
    def tokens(self) -> Iterator[Command]:
        """Code the recordings with three codebooks, and an augmented copy of those for training."""
        copies = ["--versions", 0 if self.quick else 1, "--jobs", self.jobs]
        codec = ["--model", CODEC, "--codebooks", 3]
        yield module("vqaudio.tokenize", self.place("data"), self.place("tokens"), *codec, *copies)

    @stage(makes="prior/model.int8.safetensors", needs=["tokens"])
    def prior(self) -> Iterator[Command]:
        """Train the prior over these codes and their text, from that of the codec."""
        quick = {"data.batch_size": 2} if self.quick else {}
        yield self.train("prior.yaml", "prior", settings={"data.folder": self.place("tokens")} | quick)

    @stage(makes="report/report.md", needs=["prepare", "prior"])
    def report(self) -> Iterator[Command]:
        """Measure bits saved, and have a recogniser hear what is said."""
        prior, out = self.place("prior/model.int8.safetensors"), self.place("report")
        extent = ["--sentences", 4] if self.quick else []
        yield module("recipes.sentences.report", self.place("data"), prior, out, *extent)


if __name__ == "__main__":
    raise SystemExit(main(Sentences))
