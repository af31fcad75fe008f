"""What runs a recipe: its stages, one after the other, each some command lines that can be repeated alone.

A recipe is a class with a method for each stage, which yields the stage's commands::

    class Mine(Recipe):
        \"\"\"Train a codec on something.\"\"\"

        name, data, lengths = "mine", "speech", {"codec": 14.0}

        @stage(makes="codec/model.safetensors")
        def codec(self) -> Iterator[Command]:
            \"\"\"Train the codec.\"\"\"
            yield self.train("codec.yaml", "codec", settings={"data.folder": self.folder})

    if __name__ == "__main__":
        raise SystemExit(main(Mine))

``bash recipes/NAME/run.sh --help`` lists them. All recipes have the same options and keep the same promises: every
command is printed before it runs; a stage whose commands have ended well before, word for word, is skipped as long as
what it makes is there; one that was stopped goes on where it was; one that needs what an earlier one makes says so.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.files import atomic_write

RECIPES = Path(__file__).parent
DONE = "stages.json"
"""In the folder of a run: the commands that have ended well, by stage."""
QUICK = {"steps": 8, "warmup_steps": 1}
"""What --quick changes in every training that is usually some minutes long."""


# ------------------------------------------------------------------------------------------------------------ commands


@dataclass(frozen=True)
class Command:
    """A command line; what it prints is also kept in a file where one is named."""

    arguments: tuple[str, ...]
    keep: Path | None = None

    def __str__(self) -> str:
        return shlex.join(self.arguments)

    def run(self) -> bool:
        """Print the command and run it; returns whether it ended well."""
        print(f"+ {self}", flush=True)
        done = subprocess.run(self.arguments, check=False, text=True, stdout=subprocess.PIPE if self.keep else None)
        if self.keep and not done.returncode:
            print(done.stdout, flush=True)
            with atomic_write(self.keep) as file:
                file.write(done.stdout.encode())
        return not done.returncode


def module(name: str, *arguments: object, keep: Path | None = None) -> Command:
    """A module run as a script: ``module("vqaudio.tokenize", folder, out)``."""
    return Command((sys.executable, "-m", name, *map(str, arguments)), keep)


# -------------------------------------------------------------------------------------------------------------- stages


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name, about: for those who choose it.
        commands: what it runs, given the recipe.
        makes: what is there once it is done, in the recipe's folder; None where nothing tells, and it always runs.
        needs: names of the stages that must have made what they make.
    """

    name: str
    about: str
    commands: Callable[[Any], Iterable[Command]]
    makes: str | None
    needs: tuple[str, ...]


def stage(*, makes: str | None, needs: Sequence[str] = ()) -> Callable[[Callable[[Any], Iterable[Command]]], Stage]:
    """Make a method of a recipe one of its stages, named after it (with dashes) and explained by its docstring."""

    def decorate(method: Callable[[Any], Iterable[Command]]) -> Stage:
        return Stage(method.__name__.replace("_", "-"), method.__doc__ or "", method, makes, tuple(needs))

    return decorate


class Recipe:
    """The base class of recipes: what the command line says, and what stages are made of.

    Attributes:
        name: of its folder in ``recipes/``, and of that below ``runs/`` where everything goes.
        data: its recordings below ``$VQAUDIO_DATA``. usual_folder: how the help says that.
        lengths: minutes of each training, by stage; None for as many steps as its config says.
    """

    name: ClassVar[str]
    data: ClassVar[str]
    lengths: ClassVar[Mapping[str, float | None]]
    usual_folder: ClassVar[str]

    def __init_subclass__(cls) -> None:
        if "usual_folder" not in vars(cls):
            cls.usual_folder = f"$VQAUDIO_DATA/{cls.data}, or ../shared/data/{cls.data}"

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.quick: bool = options.quick
        self.jobs: int = options.jobs
        self.here = RECIPES / self.name
        self.out: Path = options.out or Path("runs", f"{self.name}-quick" if self.quick else self.name)
        self.folder: Path = options.folder or self.default_folder()
        self.minutes = (dict.fromkeys(self.lengths) if self.quick else dict(self.lengths)) | options.minutes

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Options of this recipe alone."""

    @classmethod
    def stages(cls) -> list[Stage]:
        """The stages, in order."""
        return [value for value in vars(cls).values() if isinstance(value, Stage)]

    def default_folder(self) -> Path:
        """Where the recordings are, unless the command line says so."""
        return Path(os.environ.get("VQAUDIO_DATA", "../shared/data")) / self.data

    def place(self, made: str) -> Path:
        """Where something is that a stage makes."""
        return self.out / made

    @property
    def done(self) -> Path:
        """The record of what has been done."""
        return self.place(DONE)

    def train(self, config: str | Path, name: str, *, settings: Mapping[str, object]) -> Command:
        """The training run of a stage, into a folder of its name; it goes on where it stopped."""
        minutes = self.minutes[name]
        quick = QUICK if self.quick and minutes is None and self.lengths[name] is not None else {}
        chosen = {"out": self.place(name), **quick, **settings}
        words = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
        length = [] if minutes is None else ["--minutes", f"{minutes:g}"]
        return module("vqaudio.train", self.here / config, *words, *length, "--resume")


# ------------------------------------------------------------------------------------------------------------- running


def run(recipe: Recipe, number: int, *, again: bool) -> None:
    """Run a stage, or say that it is done; ``again`` runs it all the same.

    Raises:
        VqaudioError: an earlier stage has not been run, or a command of this one failed.
    """
    stages = recipe.stages()
    one = stages[number]
    for index, before in enumerate(stages):
        if before.name in one.needs and before.makes and not (made := recipe.place(before.makes)).exists():
            raise VqaudioError(
                f"stage {number} ({one.name}) needs {made}: run stage {index} ({before.name}) "
                f"first, with --stage {before.name}"
            )
    commands = list(one.commands(recipe))
    lines, record = [str(line) for line in commands], _read(recipe.done)
    if not again and record.get(one.name) == lines and one.makes and recipe.place(one.makes).exists():
        print(f"== stage {number}: {one.name} is done, {recipe.place(one.makes)} is there", flush=True)
        return
    print(f"== stage {number}: {one.name}", flush=True)
    for name in _dependents(one, stages):
        record.pop(name, None)
    _write(recipe.done, record)
    if one.makes:
        recipe.place(one.makes).parent.mkdir(parents=True, exist_ok=True)
    for line in commands:
        if not line.run():
            raise VqaudioError(
                f"stage {number} ({one.name}) failed: once that is put right, go on with --from {one.name}"
            )
    _write(recipe.done, record | {one.name: lines})


def _dependents(one: Stage, stages: Sequence[Stage]) -> set[str]:
    """A stage and those that need what it makes, directly or not."""
    found = {one.name}
    for other in stages:  # a stage needs only earlier ones
        if found.intersection(other.needs):
            found.add(other.name)
    return found


def _read(path: Path) -> dict[str, list[str]]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _write(path: Path, record: Mapping[str, list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(json.dumps(record, indent=1).encode())


# ------------------------------------------------------------------------------------------------------------- options


def main(recipe: type[Recipe], argv: list[str] | None = None) -> int:
    """Run a recipe by its command line; returns the exit status."""

    @command
    def run_chosen(argv: list[str] | None = None) -> int:
        parser = arguments(recipe)
        options = parser.parse_args(argv)
        first, last = options.first or [0], options.last or [len(recipe.stages()) - 1]
        if options.stage and (options.first or options.last):
            parser.error("--stage names the stages to run: leave --from and --to out")
        if len(first) > 1 or len(last) > 1 or first > last:
            parser.error("expected one stage for --from and one for --to, which does not come before it")
        chosen = recipe(options)
        for number in options.stage or range(first[0], last[0] + 1):
            run(chosen, number, again=bool(options.stage))
        return 0

    return run_chosen(argv)


def arguments(recipe: type[Recipe]) -> argparse.ArgumentParser:
    """The options of a recipe."""
    stages = recipe.stages()
    listed = "\n".join(f"  {number:2}  {one.name:11} {one.about}" for number, one in enumerate(stages))
    parser = argparse.ArgumentParser(
        prog=f"recipes/{recipe.name}/run.sh",
        description=f"{inspect.cleandoc(recipe.__doc__ or '')}\n\nstages (STAGE is a name or a number):\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    numbers = partial(_numbers, names=[one.name for one in stages])
    lengths = [f"{name} {'the steps of its config' if t is None else f'{t:g}'}" for name, t in recipe.lengths.items()]
    parser.add_argument("folder", nargs="?", type=Path, help=f"the recordings (default: {recipe.usual_folder})")
    parser.add_argument("--stage", type=numbers, metavar="STAGE,...", help="run these alone, whether done or not")
    parser.add_argument("--from", type=numbers, dest="first", metavar="STAGE", help="begin here (default: the first)")
    parser.add_argument("--to", type=numbers, dest="last", metavar="STAGE", help="end with this (default: the last)")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"for all that is made (default: runs/{recipe.name})")
    parser.add_argument(
        "--quick", action="store_true", help="all stages within minutes: shows that everything runs, and nothing else"
    )
    parser.add_argument(
        "--minutes",
        type=partial(_minutes, trained=list(recipe.lengths)),
        default={},
        metavar="T|STAGE=T,...",
        help=f"of all trainings, or of some (default: {', '.join(lengths)})",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    recipe.add_options(parser)
    return parser


def _numbers(text: str, names: Sequence[str]) -> list[int]:
    """Stages by name or number, with commas between them."""
    known = {name: number for number, name in enumerate(names)} | {str(number): number for number in range(len(names))}
    if unknown := [word for word in text.split(",") if word not in known]:
        raise argparse.ArgumentTypeError(
            f"no stage {unknown[0]}; choose among {', '.join(names)}, or 0 to {len(names) - 1}"
        )
    return [known[word] for word in text.split(",")]


def _minutes(text: str, trained: Sequence[str]) -> dict[str, float | None]:
    """``T`` for all that is trained, or ``STAGE=T,...``."""
    words = text.split(",") if "=" in text else [f"{name}={text}" for name in trained]
    found: dict[str, float | None] = {}
    for word in words:
        name, _, length = word.partition("=")
        try:
            found[name] = float(length)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text}: expected minutes, or STAGE=MINUTES,...") from None
        if name not in trained or not found[name] > 0:
            raise argparse.ArgumentTypeError(f"{word}: expected more than 0 minutes of one of {', '.join(trained)}")
    return found
