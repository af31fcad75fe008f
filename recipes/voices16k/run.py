"""The stages of the recipe; ``bash recipes/voices16k/run.sh --help`` lists them."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.stages import Command, Recipe, main, module, stage

START = "vqaudio/models/speech-16k-v3.safetensors"
QUICK = {
    "data.corpora": "[vctk]",
    "data.weights": "{}",
    "speaker_corpora": "[vctk]",
    "data.batch_size": 2,
    "data.valid_seconds": 2,
}


class Voices(Recipe):
    """Train voices-16k, whose decoder is told who speaks, make that natural, and have its conversions judged.

    The recordings' manifest.csv names corpora and speakers as codec.yaml does.
    """

    name, data, lengths = "voices16k", "speech", {"codec": 72.0, "decoder": 66.0}

    @stage(makes="start.safetensors")
    def start(self) -> Iterator[Command]:
        """Take speech-16k-v3, which is not shipped any more, out of the history: training begins at its weights."""
        yield module("recipes.history", "01c7f2f", START, self.place("start.safetensors"))

    @stage(makes="codec/model.safetensors", needs=["start"])
    def codec(self) -> Iterator[Command]:
        """Train the codec."""
        settings = {"data.folder": self.folder, "init_from": self.place("start.safetensors")}
        yield self.train("codec.yaml", "codec", settings=settings | (QUICK if self.quick else {}))

    @stage(makes="decoder/model.safetensors", needs=["codec"])
    def decoder(self) -> Iterator[Command]:
        """Train its decoder on those codes, against discriminators."""
        settings = {"data.folder": self.folder, "init_from": self.place("codec/model.safetensors")}
        quick = QUICK | {"adversarial.pretrain_steps": 1} if self.quick else {}
        yield self.train("decoder.yaml", "decoder", settings=settings | quick)

    @stage(makes="report/report.md", needs=["decoder"])
    def report(self) -> Iterator[Command]:
        """Convert recordings of unseen speakers, and have the conversions judged."""
        extent = ["--quick"] if self.quick else []
        model = self.place("decoder/model.safetensors")
        yield module("recipes.voices16k.report", model, self.place("report"), "--folder", self.folder, *extent)


if __name__ == "__main__":
    raise SystemExit(main(Voices))
