"""The stages of the recipe; ``bash recipes/vctk/run.sh --help`` lists them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from recipes.stages import Command, Recipe, main, module, stage
from vqaudio.errors import VqaudioError


class Vctk(Recipe):
    """Train a codec and a prior on VCTK, measure them, and make a page to listen to."""

    name, data, lengths = "vctk", "speech/vctk", {"codec": None, "prior": None}
    usual_folder = "$VCTK_ROOT, else OUT/corpus; with --quick the four speakers of $VQAUDIO_DATA/speech/vctk"

    def __init__(self, options: argparse.Namespace):
        super().__init__(options)
        config = options.config or Path("conf/quick.yaml" if self.quick else "conf/base.yaml")
        self.config = config.resolve() if config.is_file() else self.here / config
        self.prior_config = self.config.with_stem(f"{self.config.stem}_prior")
        for path in (self.config, self.prior_config):
            if not path.is_file():
                names = sorted(f"conf/{p.name}" for p in self.here.glob("conf/*.yaml") if "_prior" not in p.stem)
                raise VqaudioError(
                    f"{path}: no such file; name one of {', '.join(names)}, or a config with NAME_prior.yaml beside it"
                )

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Which config, and whether the corpus may be fetched."""
        parser.add_argument(
            "--config",
            type=Path,
            metavar="YAML",
            help="the codec's, and beside it the prior's, NAME_prior.yaml (default: conf/base.yaml; with --quick: "
            "conf/quick.yaml); what is made goes into a folder for each",
        )
        parser.add_argument("--download", action="store_true", help="fetch VCTK where it is not there (11.7 GB)")

    def default_folder(self) -> Path:
        """VCTK itself."""
        return super().default_folder() if self.quick else Path(os.environ.get("VCTK_ROOT") or self.out / "corpus")

    def place(self, made: str) -> Path:
        """The recordings are shared by all configs; the rest has a folder for each."""
        return self.out / made if Path(made).parts[0] == "data" else self.out / self.config.stem / made

    @property
    def models(self) -> list[object]:
        """The options that name codec and prior."""
        codec, prior = self.place("codec/model.safetensors"), self.place("prior/model.int8.safetensors")
        return ["--model", codec, "--prior", prior]

    @stage(makes=None)
    def corpus(self) -> Iterator[Command]:
        """Find VCTK, or download it where that is asked for."""
        yield module("recipes.vctk.corpus", self.folder, *(["--download"] if self.options.download else []))

    @stage(makes="data/manifest.csv")
    def prepare(self) -> Iterator[Command]:
        """Resample, trim, split, count."""
        yield module("recipes.vctk.prepare", self.folder, self.place("data"), "--jobs", self.jobs)

    @stage(makes="codec/model.safetensors", needs=["prepare"])
    def codec(self) -> Iterator[Command]:
        """Train the codec, whose decoder is told who speaks."""
        yield self.train(self.config, "codec", settings={"data.folder": self.place("data")})

    @stage(makes="tokens", needs=["prepare", "codec"])
    def tokens(self) -> Iterator[Command]:
        """Code the recordings, and an augmented copy of those for training."""
        copies = ["--versions", 0 if self.quick else 1, "--speed", 0]  # at another speed it is another voice
        model = self.place("codec/model.safetensors")
        where = [self.place("data"), self.place("tokens"), "--model", model]
        yield module("vqaudio.tokenize", *where, *copies, "--jobs", self.jobs)

    @stage(makes="prior/model.int8.safetensors", needs=["codec", "tokens"])
    def prior(self) -> Iterator[Command]:
        """Train the prior over these codes, told who speaks."""
        codec = self.place("codec/model.safetensors")
        yield self.train(self.prior_config, "prior", settings={"codec": codec, "data.folder": self.place("tokens")})

    @stage(makes="evaluation/evaluation.md", needs=["prepare", "codec", "prior"])
    def evaluate(self) -> Iterator[Command]:
        """Measure quality over rate on the test speakers: a table and a plot, beside other codecs."""
        out = self.place("evaluation")
        results = ["--json", out / "evaluation.json", "--plot", out / "evaluation.png"]
        extent = ["--peers", "none", "--limit", 2] if self.quick else ["--limit", 200]
        arguments = [self.place("data") / "test", *self.models, "--entropy", "none,prior", *results, *extent]
        yield module("vqaudio.evaluate", *arguments, keep=out / "evaluation.md")

    @stage(makes="samples.html", needs=["prepare", "codec", "prior"])
    def samples(self) -> Iterator[Command]:
        """Reconstruct, sample and convert; write a page to listen to all of it."""
        extent = ["--clips", 1, "--speakers", 2, "--samples", 1] if self.quick else []
        where = [self.place("data") / "test", self.place("samples.html")]
        yield module("recipes.vctk.samples", *where, *self.models, *extent)


if __name__ == "__main__":
    raise SystemExit(main(Vctk))
