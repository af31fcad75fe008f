"""``python -m vqaudio.info FILE``: what a ``.vq`` file holds, without decoding it, or a model's file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vqaudio.cli import options
from vqaudio.cli.program import Command
from vqaudio.registry import NOT_SHIPPED, find, fingerprint, models_here, name_of


@click.command("info", cls=Command, example="speech.vq")
@click.argument("path", metavar="FILE", type=options.PATH)
@options.any_prior
@options.as_json
@click.option("--quiet", is_flag=True, help="only say what is damaged")
def main(path: Path, prior: Path | None, as_json: bool, quiet: bool) -> int:
    """Say what a .vq file holds, and check all of it; or what a model is.

    FILE is a .vq file, - for standard input, or a model: its name, or its file. Exits with status 1 where a .vq file is
    damaged. The decoder is the one that plays it here: any decoder of the same codes does.
    """
    from vqaudio.cli.facts import facts_of  # late: --help does without
    from vqaudio.codec.opened import open_vq

    if _is_model(path):
        found = find(path)
        name = name_of(fingerprint(found)) or NOT_SHIPPED
        _show({"file": str(found), "model": name} | facts_of(found), as_json, quiet)
        return 0
    with open_vq(path, prior=prior) as stored:
        facts = stored.describe()
    _show(facts, as_json, quiet)
    for problem in facts["damage"] if quiet else ():
        print(f"damaged: {facts['file']}: {problem}", file=sys.stderr)
    if facts["unchecked"]:
        print(f"error: {facts['unchecked']}", file=sys.stderr)
    return 1 if facts["damage"] or facts["unchecked"] else 0


def _is_model(path: Path) -> bool:
    if path.suffix == ".safetensors":
        return path.is_file()
    return str(path) in models_here() and not path.is_file()


def _show(facts: dict[str, Any], as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
    elif not quiet:
        width = max(map(len, facts)) + 2
        columns = facts.get("columns")
        for name, value in facts.items():
            value = len(columns) if columns is not None and name == "columns" else value
            shown = "; ".join(map(str, value)) if isinstance(value, list) else value
            shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else shown
            print(f"{name.replace('_', ' '):{width}}{'none' if shown in ('', None) else shown}")
        if columns:
            print("", *_rows_of(columns), sep="\n")


def _rows_of(columns: list[dict[str, Any]]) -> Iterator[str]:
    """The columns of a table, a line each below a heading."""
    cells = [["column", "type", "bound", "bytes", "share", "bits a value", "encoding", "coder"]]
    for one in columns:
        name = one["name"] if one["name"].isprintable() else repr(one["name"])
        figures = [str(one["bytes"]), f"{one['share']:.1%}", f"{one['bits_per_value']:.3f}"]
        cells.append([name, one["type"], one["bound"], *figures, one["encoding"], one["coder"]])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        both = enumerate(zip(line, widths, strict=True))
        padded = [text.rjust(width) if 3 <= at <= 5 else text.ljust(width) for at, (text, width) in both]
        yield "  ".join(padded).rstrip()


if __name__ == "__main__":
    raise SystemExit(main())
