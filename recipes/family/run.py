"""The stages of the recipe; ``bash recipes/family/run.sh --help`` lists them."""

from __future__ import annotations

from collections.abc import Iterator

from recipes.stages import Command, Recipe, main, module, stage

WITH_PRIOR: dict[str, dict[str, object]] = {"vq": {"text": "word", "fields": "[speaker]"}, "vqvae2": {}}
"""And what their priors are told."""
QUICK_PRIOR = {"model.channels": 16, "model.skip_channels": 16, "data.batch_size": 4}
QUICK_TAKES = (0, 5, 6)


class Family(Recipe):
    """Train the whole family, from PCA to VQ-VAE-2, on the Free Spoken Digit Dataset, and compare it in one report."""

    name, data, lengths = "family", "speech/digits", {"fit": 2.4, "priors": 1.5}

    @stage(makes="data/manifest.csv")
    def prepare(self) -> Iterator[Command]:
        """List the recordings, with who says which digit."""
        takes = ["--takes", *QUICK_TAKES] if self.quick else []
        yield module("recipes.digits.prepare", self.folder, self.place("data"), *takes)

    @stage(makes="vqvae2/model.safetensors", needs=["prepare"])
    def fit(self) -> Iterator[Command]:
        """Train the 14 networks, and fit their ancestors."""
        extent = ["--quick"] if self.quick else ["--minutes", f"{self.minutes['fit']:g}"]
        yield module("recipes.family.fit", self.out, *extent)

    @stage(makes="vqvae2-prior/model.int8.safetensors", needs=["prepare", "fit"])
    def priors(self) -> Iterator[Command]:
        """Train a prior over the codes of two of them, one with text in the same sequence."""
        for system, told in WITH_PRIOR.items():
            model, tokens = self.place(system) / "model.safetensors", self.place("tokens") / system
            how = ["--pad-to", 1, "--jobs", self.jobs, "--quiet"]
            yield module("vqaudio.tokenize", self.place("data"), tokens, "--model", model, *how)
            settings = told | {"out": self.place(f"{system}-prior"), "data.folder": tokens, "codec": model}
            yield self.train("prior.yaml", "priors", settings=settings | (QUICK_PRIOR if self.quick else {}))

    @stage(makes="report.md", needs=["prepare", "fit", "priors"])
    def report(self) -> Iterator[Command]:
        """Measure all, and write the table, its reading, pictures and sounds."""
        yield module("recipes.family.report", self.out, *(["--quick"] if self.quick else []))


if __name__ == "__main__":
    raise SystemExit(main(Family))
