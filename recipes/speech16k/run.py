"""The stages of the recipe; ``bash recipes/speech16k/run.sh --help`` lists them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from recipes.stages import RECIPES, Command, Recipe, main, module, stage
from vqaudio.audio.recordings import list_recordings
from vqaudio.config.runs import load_yaml

QUICK = {"data.corpora": "[vctk]", "data.weights": "{}", "data.batch_size": 2, "data.valid_seconds": 2}
QUICK_OF = {"base": {"quantize_after": 2}, "decoder": {"adversarial.pretrain_steps": 1}}
QUICK_PRIOR = {"data.weights": "{}", "field_corpora": "[vctk]", "data.batch_size": 2}
READ = {"librispeech", "vctk", "ljspeech"}
"""Read English, which is heard more often than it lasts."""


class Speech(Recipe):
    """Train speech-16k-v4 in nine runs, score it on speakers it never heard, and train the prior over its codes.

    The shipped model's codes were trained for 4.3 minutes of a GPU as well (gpu.sh), which a CPU takes days for.
    """

    name, data = "speech16k", "speech"
    lengths = MappingProxyType(
        {
            "base": 97.0,
            "finetune": 11.5,
            "v2": 76.0,
            "longer": 62.0,
            "v3": 54.0,
            "encoder": 45.0,
            "encoder-all": 15.0,
            "codes": 142.0,
            "decoder": 76.0,
            "prior": 60.0,
        }
    )

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Which codec the prior is for, and where that begins."""
        parser.add_argument("--codec", metavar="NAME|PATH", help="train the prior of this (default: the model of mix)")
        parser.add_argument(
            "--init-prior",
            metavar="NAME|PATH",
            help="begin the prior here; that of a codec whose codebooks this one's began at saves hundreds of steps",
        )

    def step(self, config: str, name: str, *, begins_at: str | None = None) -> Command:
        """A training run, from the model of an earlier one."""
        settings: dict[str, object] = {"data.folder": self.folder}
        if begins_at is not None:
            settings["init_from"] = self.place(begins_at)
        if self.options.folder:  # one's own: corpora share by length
            settings |= {"data.corpora": "[]", "data.weights": "{}"}
        quick = QUICK | QUICK_OF.get(name, {}) if self.quick else {}
        return self.train(config, name, settings=settings | quick)

    def script(self, name: str, *arguments: object) -> Command:
        """A script of this folder."""
        return module(f"recipes.speech16k.{name}", *arguments)

    @property
    def few(self) -> list[object]:
        """For scripts that look at recordings: at a few, if it is to be quick."""
        return ["--recordings", 4] if self.quick else []

    @stage(makes="base/model.safetensors")
    def base(self) -> Iterator[Command]:
        """The first run: a short-time spectrum in, an inverse STFT out."""
        yield self.step("base.yaml", "base")

    @stage(makes="finetune/model.safetensors", needs=["base"])
    def finetune(self) -> Iterator[Command]:
        """Another, with a loss on magnitudes bin by bin."""
        yield self.step("finetune.yaml", "finetune", begins_at="base/model.safetensors")

    @stage(makes="v2/model.safetensors", needs=["finetune"])
    def v2(self) -> Iterator[Command]:
        """SOAP, larger batches, more quantizer dropout."""
        yield self.step("v2.yaml", "v2", begins_at="finetune/model.safetensors")

    @stage(makes="longer/model.safetensors", needs=["v2"])
    def longer(self) -> Iterator[Command]:
        """The same once more."""
        yield self.step("longer.yaml", "longer", begins_at="v2/model.safetensors")

    @stage(makes="v3/model.safetensors", needs=["longer"])
    def v3(self) -> Iterator[Command]:
        """And once more, with a ninth codebook."""
        yield self.step("v3.yaml", "v3", begins_at="longer/model.safetensors")

    @stage(makes="v3/lighter.safetensors", needs=["v3"])
    def lighter(self) -> Iterator[Command]:
        """Give codebooks a code to stop at, and prune the encoder."""
        sizes = ["--stem-expansion", 1, "--expansion", 2]
        model, ended = self.place("v3/model.safetensors"), self.place("v3/ended.safetensors")
        yield self.script("stop_codes", self.folder, model, ended, *self.few)
        yield self.script("lighter", self.folder, ended, self.place("v3/lighter.safetensors"), *sizes, *self.few)

    @stage(makes="encoder/model.safetensors", needs=["lighter"])
    def encoder(self) -> Iterator[Command]:
        """Train the pruned encoder, its codes frozen."""
        yield self.step("encoder.yaml", "encoder", begins_at="v3/lighter.safetensors")

    @stage(makes="encoder-all/model.safetensors", needs=["encoder"])
    def encoder_all(self) -> Iterator[Command]:
        """That once more, with more crops that use all codebooks."""
        yield self.step("encoder-all.yaml", "encoder-all", begins_at="encoder/model.safetensors")

    @stage(makes="codes/model.safetensors", needs=["encoder-all"])
    def codes(self) -> Iterator[Command]:
        """Train encoder and codebooks of v4."""
        yield self.step("v4-codes.yaml", "codes", begins_at="encoder-all/model.safetensors")

    @stage(makes="codes/lighter.safetensors", needs=["codes"])
    def lighter_decoder(self) -> Iterator[Command]:
        """Prune its decoder, to the size that the next stage trains."""
        models = self.place("codes/model.safetensors"), self.place("codes/lighter.safetensors")
        hidden = load_yaml(RECIPES / "speech16k" / "v4-decoder.yaml")["model"]["decoder"]["hidden"]
        yield self.script("lighter", self.folder, *models, "--decoder-hidden", ",".join(map(str, hidden)), *self.few)

    @stage(makes="decoder/model.safetensors", needs=["lighter-decoder"])
    def decoder(self) -> Iterator[Command]:
        """Train the decoder on those codes, against discriminators."""
        yield self.step("v4-decoder.yaml", "decoder", begins_at="codes/lighter.safetensors")

    @stage(makes="v4/model.safetensors", needs=["lighter-decoder", "decoder"])
    def mix(self) -> Iterator[Command]:
        """Make the model: a decoder 0.7 of the way from before to after."""
        models = self.place("codes/lighter.safetensors"), self.place("decoder/model.safetensors")
        yield self.script("mix", *models, 0.7, self.place("v4/model.safetensors"))

    @stage(makes="v4/report.json", needs=["mix"])
    def evaluate(self) -> Iterator[Command]:
        """Measure quality over rate on recordings kept for validation, beside other codecs."""
        extent = ["--peers", "none", "--limit", 2] if self.quick else []
        results = ["--json", self.place("v4/report.json"), "--plot", self.place("v4/report.png")]
        model = self.place("v4/model.safetensors")
        yield module("vqaudio.evaluate", self.folder, "--model", model, "--min-seconds", 2, *results, *extent)

    @property
    def codec(self) -> str | Path:
        """The codec whose codes the prior is for."""
        return self.options.codec or self.place("v4/model.safetensors")

    @stage(makes="tokens")
    def tokens(self) -> Iterator[Command]:
        """Code the recordings, and augmented copies of them, half of which end frames early."""
        common = ["--model", self.codec, "--codebooks", "9,3", "--code-costs", "1,10", "--jobs", self.jobs]
        tokens = self.place("tokens")
        if self.quick:
            yield module("vqaudio.tokenize", self.folder, tokens, *common, "--corpora", "vctk")
        elif self.options.folder:
            yield module("vqaudio.tokenize", self.folder, tokens, *common, "--versions", 1)
        else:
            corpora = {item.corpus for item in list_recordings(self.folder)}
            for place, versions, chosen in (("read", 4, READ), ("others", 0, corpora - READ)):
                extent = ["--versions", versions, "--speed", 0.04, "--corpora", ",".join(sorted(chosen))]
                yield module("vqaudio.tokenize", self.folder, tokens / place, *common, *extent)

    @stage(makes="prior/model.int8.safetensors", needs=["tokens"])
    def prior(self) -> Iterator[Command]:
        """Train the prior over these codes, told the speaker in half of the crops."""
        settings: dict[str, object] = {"codec": self.codec, "data.folder": self.place("tokens")}
        if self.options.init_prior:
            settings["init_from"] = self.options.init_prior
        if self.options.folder:  # corpora share crops by their length, and all speakers count that are named
            settings |= {"data.weights": "{}", "field_corpora": "[]"}
        yield self.train("prior.yaml", "prior", settings=settings | (QUICK_PRIOR if self.quick else {}))


if __name__ == "__main__":
    raise SystemExit(main(Speech))
