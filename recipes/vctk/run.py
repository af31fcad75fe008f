"""The stages of the recipe, one after the other, each a command line of vqaudio or a script of this folder.

``bash recipes/vctk/run.sh --help`` lists them. Every command is printed before it runs, and can be repeated alone.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.files import atomic_write

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Command:
    """A command line; what it prints is also kept in a file where one is named."""

    arguments: list[str]
    keep: Path | None = None


@dataclass(frozen=True)
class Recipe:
    """Where everything is, and how much of it is made. Paths end up in command lines."""

    root: Path
    out: Path
    config: Path
    smoke: bool
    minutes: dict[str, float | None]
    jobs: int

    @property
    def data(self) -> Path:
        """What stage 1 writes."""
        return self.out / "data"

    @property
    def folder(self) -> Path:
        """What the later stages write: a folder for each config."""
        return self.out / self.config.stem

    @property
    def codec(self) -> Path:
        """The trained codec."""
        return self.folder / "codec" / "model.safetensors"

    @property
    def prior(self) -> Path:
        """The quantized export of the trained prior."""
        return self.folder / "prior" / "model.int8.safetensors"

    @property
    def prior_config(self) -> Path:
        """The config of the prior that belongs to a codec's: NAME_prior.yaml beside NAME.yaml."""
        return self.config.with_stem(f"{self.config.stem}_prior")

    def train(self, config: Path, part: str, *settings: str) -> list[Command]:
        """A training run, which goes on where it stopped."""
        sets = [word for setting in (f"out={self.folder / part}", *settings) for word in ("--set", setting)]
        minutes = self.minutes[part]
        length = [] if minutes is None else ["--minutes", f"{minutes:g}"]
        return [module("train", config, *sets, *length, "--resume")]


def module(name: str, *arguments: object, keep: Path | None = None) -> Command:
    """One of vqaudio's commands."""
    return Command([sys.executable, "-m", f"vqaudio.{name}", *map(str, arguments)], keep)


def script(name: str, *arguments: object) -> Command:
    """A script of this folder."""
    return Command([sys.executable, str(HERE / name), *map(str, arguments)])


# ------------------------------------------------------------------------------------------------------------ stages


def data(recipe: Recipe) -> list[Command]:
    """Find the corpus; download it where it is not there (11.7 GB), which happens in this stage alone."""
    return [script("corpus.py", recipe.root, *([] if recipe.smoke else ["--download"]))]


def prepare(recipe: Recipe) -> list[Command]:
    """Resample, trim, split, count."""
    return [script("prepare.py", recipe.root, recipe.data, "--jobs", recipe.jobs)]


def codec(recipe: Recipe) -> list[Command]:
    """Train the codec, whose decoder is told who speaks."""
    return recipe.train(recipe.config, "codec", f"data.folder={recipe.data}")


def tokens(recipe: Recipe) -> list[Command]:
    """Code the recordings, and a copy of those for training, at another level and cut into frames elsewhere."""
    copies = ["--versions", 0 if recipe.smoke else 1, "--speed", 0]  # at another speed it is another voice
    where = [recipe.data, recipe.folder / "tokens", "--model", recipe.codec]
    return [module("tokenize", *where, *copies, "--jobs", recipe.jobs)]


def prior(recipe: Recipe) -> list[Command]:
    """Train the prior over these codes, told who speaks."""
    settings = f"codec={recipe.codec}", f"data.folder={recipe.folder / 'tokens'}"
    return recipe.train(recipe.prior_config, "prior", *settings)


def evaluate(recipe: Recipe) -> list[Command]:
    """Measure quality over rate on the test speakers: a table and a plot, beside other codecs."""
    out = recipe.folder / "evaluation"
    out.mkdir(parents=True, exist_ok=True)
    results = ["--json", out / "evaluation.json", "--plot", out / "evaluation.png"]
    models = ["--model", recipe.codec, "--prior", recipe.prior, "--entropy", "none,prior"]
    extent = ["--peers", "none", "--limit", 2] if recipe.smoke else ["--limit", 200]
    return [module("evaluate", recipe.data / "test", *models, *results, *extent, keep=out / "evaluation.md")]


def samples(recipe: Recipe) -> list[Command]:
    """Reconstruct, draw and convert; write a page to listen to all of it."""
    extent = ["--clips", 1, "--voices", 2, "--draws", 1] if recipe.smoke else []
    models = ["--model", recipe.codec, "--prior", recipe.prior]
    return [script("samples.py", recipe.data / "test", recipe.folder / "samples", *models, *extent)]


STAGES: tuple[Callable[[Recipe], list[Command]], ...] = (data, prepare, codec, tokens, prior, evaluate, samples)


def needed(stage: int, recipe: Recipe) -> dict[Path, int]:
    """What a stage reads of earlier ones, and which stages write it."""
    manifest, coded = recipe.data / "manifest.csv", recipe.folder / "tokens"
    if stage < 2:
        return {}
    return {
        codec: {manifest: 1},
        tokens: {manifest: 1, recipe.codec: 2},
        prior: {recipe.codec: 2, coded: 3},
    }.get(STAGES[stage], {manifest: 1, recipe.codec: 2, recipe.prior: 4})


def run(stage: int, recipe: Recipe) -> None:
    """Run one stage.

    Raises:
        VqaudioError: an earlier stage has not been run, or a command of this one failed.
    """
    name = STAGES[stage].__name__
    for path, before in needed(stage, recipe).items():
        if not path.exists():
            raise VqaudioError(f"stage {stage} ({name}) needs {path}: run stage {before} first, with --stage {before}")
    print(f"== stage {stage}: {name}", flush=True)
    for line in STAGES[stage](recipe):
        print(f"+ {shlex.join(line.arguments)}", flush=True)
        done = subprocess.run(line.arguments, check=False, text=True, stdout=subprocess.PIPE if line.keep else None)
        if line.keep and not done.returncode:
            print(done.stdout, flush=True)
            with atomic_write(line.keep) as file:
                file.write(done.stdout.encode())
        if done.returncode:
            raise VqaudioError(f"stage {stage} ({name}) failed: once that is put right, go on with --stage {stage}")


# ----------------------------------------------------------------------------------------------------------- options


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    listed = "\n".join(f"  {number}  {stage.__name__:9} {stage.__doc__}" for number, stage in enumerate(STAGES))
    parser = argparse.ArgumentParser(
        prog="run.sh",
        description=f"Train and measure a codec and a prior on VCTK.\n\nstages:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    last = len(STAGES) - 1
    parser.add_argument("--stage", type=int, metavar="N", help="begin here (default: 1; with --smoke: 0)")
    parser.add_argument(
        "--stop-stage", type=int, default=last, metavar="M", help="end with this (default: %(default)s)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="YAML",
        help="the codec's, and beside it the prior's, NAME_prior.yaml (default: conf/base.yaml; with --smoke: "
        "conf/smoke.yaml)",
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="VCTK (default: $VCTK_ROOT, else OUT/corpus)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="for all that is made (default: runs/vctk; with --smoke: runs/vctk-smoke)",
    )
    parser.add_argument("--codec-minutes", type=float, metavar="T", help="length of that run, instead of its steps")
    parser.add_argument("--prior-minutes", type=float, metavar="T", help="likewise")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="all stages within minutes, on the four speakers of $VQAUDIO_DATA/speech/vctk (or ../shared/data/speech/"
        "vctk): shows that everything runs, and nothing else",
    )
    return parser


def recipe_of(options: argparse.Namespace) -> Recipe:
    """What the options ask for.

    Raises:
        VqaudioError: no such config, or none of a prior beside it.
    """
    out = options.out or Path("runs/vctk-smoke" if options.smoke else "runs/vctk")
    root = options.root or Path(os.environ.get("VCTK_ROOT") or out / "corpus")
    if options.smoke and options.root is None:
        root = Path(os.environ.get("VQAUDIO_DATA", "../shared/data")) / "speech" / "vctk"
    config = options.config or Path("conf/smoke.yaml" if options.smoke else "conf/base.yaml")
    config = config if config.is_file() else HERE / config
    minutes = {"codec": options.codec_minutes, "prior": options.prior_minutes}
    recipe = Recipe(root, out, config, options.smoke, minutes, options.jobs)
    for path in (recipe.config, recipe.prior_config):
        if not path.is_file():
            known = ", ".join(sorted(f"conf/{p.name}" for p in HERE.glob("conf/*.yaml") if "_prior" not in p.stem))
            raise VqaudioError(f"{path}: no such file; name one of {known}, or a config with NAME_prior.yaml beside it")
    return recipe


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    first = options.stage if options.stage is not None else 0 if options.smoke else 1
    if not 0 <= first <= options.stop_stage < len(STAGES):
        parser.error(f"expected 0 <= N <= M <= {len(STAGES) - 1} for --stage N --stop-stage M")
    recipe = recipe_of(options)
    for stage in range(first, options.stop_stage + 1):
        run(stage, recipe)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
