"""Options that several command lines have, and the kinds of values that they take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from vqaudio.errors import VqaudioError
from vqaudio.inference.backends import BACKENDS, PRECISIONS
from vqaudio.registry import shipped_models

PATH = click.Path(path_type=Path)
"""A file or folder, whether or not it exists: what is wrong with it is said where it is opened."""


class Seconds(click.FloatRange):
    """A time: ``83.5`` (seconds), ``1:23.5`` or ``0:01:23.5``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Text to seconds, which lie in the range."""
        try:
            parts = [float(part) for part in str(value).split(":")]
        except ValueError:
            parts = []
        later = all(0 <= part < 60 for part in parts[1:]) and all(part == int(part) for part in parts[:-1])
        if not 1 <= len(parts) <= 3 or not math.isfinite(sum(parts)) or not later:
            self.fail(f"{value!r} is no time: expected seconds, or minutes and seconds as in 1:23.5", param, ctx)
        seconds = sum(part * 60**place for place, part in enumerate(reversed(parts)))
        return float(super().convert(seconds, param, ctx))


@dataclass(frozen=True)
class Edge:
    """Where a part of a file begins or ends: what was given, and how many seconds that is, if it is a time of sound."""

    text: str
    seconds: float | None


class Edges(click.ParamType[Edge]):
    """A time of sound, as :class:`Seconds` reads it; or of tables the number of a row, or a date and time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Edge:
        """Text to what it says."""
        text = str(value)
        if re.match(r"[0-9]{4}-[0-9]", text):
            return Edge(text, None)
        return Edge(text, Seconds(0).convert(value, param, ctx))


class Listed(click.ParamType[list[Any]]):
    """Values with commas between them, each of which ``kind`` reads."""

    name = "list"

    def __init__(self, kind: click.ParamType[Any]):
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        """Text to a list of at least one value."""
        if isinstance(value, list):
            return value
        return [self.kind.convert(part.strip(), param, ctx) for part in str(value).split(",")]


class Delimiter(click.ParamType[str]):
    """A character between the cells of a table, or ``tab``."""

    name = "character"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Text to that character."""
        found = {"tab": "\t", "\\t": "\t"}.get(str(value), str(value))
        if len(found) != 1 or not found.isascii() or found in '"\r\n\0':
            self.fail(f"{value!r} is no delimiter: expected one character other than a quote, or tab", param, ctx)
        return found


quiet = click.option("--quiet", is_flag=True, help="no progress bar and no summary, only errors")
force = click.option("--force", is_flag=True, help="overwrite outputs that exist")
skip_existing = click.option(
    "--skip-existing", is_flag=True, help="leave out what was converted before: its output exists"
)
jobs = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="so many files at a time"
)
cluster = click.option(
    "--cluster",
    metavar="auto|ADDRESS",
    help="on a Ray cluster, whose nodes must see the same files: HOST:PORT or ray://HOST:PORT; auto: the one on this "
    "machine, or one that starts for this (an extra)",
)
device = click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, cuda:1")
backend = click.option(
    "--backend",
    type=click.Choice(tuple(BACKENDS)),
    help="what runs the networks; torch is an extra (default: onnx on the cpu, torch elsewhere)",
)
precision = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="float32",
    show_default=True,
    help="of the encoder's products; with bf16, which needs torch, some codes are others",
)
as_json = click.option("--json", "as_json", is_flag=True, help="print JSON")
own_prior = click.option("--prior", type=PATH, metavar="PATH", help="an integer prior, in place of the model's own")
any_prior = click.option("--prior", type=PATH, metavar="PATH", help="an integer prior that is not shipped here")
delimiter = click.option(
    "--delimiter",
    type=Delimiter(),
    metavar="CHAR",
    help="what stands between the cells of a CSV, or tab (default: the likeliest of , ; | and tab)",
)
decimal = click.option(
    "--decimal",
    type=click.Choice((".", ",")),
    help="the decimal point in a CSV (default: a comma where its numbers cannot be read otherwise)",
)
table_format = click.option(
    "--format",
    "table_format",
    type=click.Choice(("csv", "parquet", "npy", "npz")),
    help="of a table from a pipe, or in a file of another name (default: what its first bytes say)",
)
codebooks = click.option("--codebooks", type=int, metavar="N", help="how many codebooks to use (default: all)")


def model(default: str | None = None, help: str | None = None) -> Callable[[Any], Any]:
    """``--model``, a shipped model's name or a file; shells complete both."""
    return click.option(
        "--model", type=_Model(), default=default, show_default=default is not None, metavar="NAME|PATH", help=help
    )


class _Model(click.ParamType[str]):
    name = "model"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        names = [name for name in shipped_models() if name.startswith(incomplete)]
        return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]


def is_given(name: str) -> bool:
    """Whether an option of the command that runs stands on its command line."""
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def those_given(names: Sequence[str]) -> tuple[str, ...]:
    """Of some options of the command that runs those on its command line, as they stand there."""
    return tuple(f"--{name.replace('_', '-')}" for name in filter(is_given, names))


def refuse_given(names: Sequence[str], why: str) -> None:
    """Do nothing if none of these options of the command that runs is given.

    Raises:
        VqaudioError: one is; the message names it and says ``why`` it must not be.
    """
    for option in those_given(names):
        raise VqaudioError(f"{option} {why}")


def refuse_together(*names: str) -> None:
    """Do nothing if at most one of these options is given.

    Raises:
        click.UsageError: two are.
    """
    given = those_given(names)
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)}: expected one of them", click.get_current_context())
