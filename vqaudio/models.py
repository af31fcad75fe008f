"""``python -m vqaudio.models``: which models there are, and what for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from vqaudio.cli import options
from vqaudio.cli.facts import facts_of
from vqaudio.cli.program import Command
from vqaudio.registry import DEFAULT_MODEL, MODELS, find, fingerprint, models_here


@click.command("models", cls=Command, example="--json")
@options.as_json
def main(as_json: bool) -> int:
    """List the models that are shipped: those for sound, the default with a star, then those for tables.

    kb/s are those of one channel with all codebooks, before the prior makes them fewer. A second size is the prior's.
    Decoders have a fingerprint, and a version before it where versions are counted. In a checkout, models that are not
    shipped any more are listed as well: they decode only.
    """
    tables = sorted((MODELS / "series").glob("*.safetensors"))
    facts = [*map(_of_sound, models_here()), *map(_of_tables, tables)]
    if as_json:
        print(json.dumps(facts, indent=2))
        return 0
    rows = [("name", "rate", "codebooks", "kb/s", "speakers", "decoder", "size", "what for"), *map(_row, facts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _of_sound(name: str) -> dict[str, Any]:
    path = find(name)
    known = {"name": name, "default": name == DEFAULT_MODEL, "for": "sound", "about": _about(path)}
    return known | facts_of(path)


def _of_tables(path: Path) -> dict[str, Any]:
    return {
        "name": path.stem,
        "for": "tables",
        "about": _about(path),
        "fingerprint": fingerprint(path),
        "bytes": path.stat().st_size,
    }


def _about(path: Path) -> str:
    """How the model's card begins, up to the first colon or the end of the sentence."""
    if not path.with_suffix(".md").exists():  # not written yet
        return ""
    paragraph = path.with_suffix(".md").read_text(encoding="utf-8").split("\n\n")[1]
    return re.split(r"[:.](?:\s|$)", " ".join(paragraph.split()))[0]


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    size = f"{facts['bytes'] / 1e6:.2g} MB"
    if facts["for"] == "tables":
        return (facts["name"], "", "", "", "", "", size, facts["about"])
    sizes = facts["codebook_sizes"]
    same = len(set(sizes)) == 1
    return (
        facts["name"] + (" *" if facts["default"] else ""),
        f"{facts['sample_rate_hz']} Hz",
        f"{len(sizes)} of {sizes[0]}" if same else ", ".join(map(str, sizes)),
        f"{facts['kbps']:g}",
        str(facts["speakers"] or ""),
        " ".join(map(str, filter(None, (facts["decoder_version"], facts["decoder_fingerprint"])))),
        size + (f" + {facts['prior_bytes'] / 1e6:.2g}" if facts["prior_bytes"] else ""),
        "decodes only, its files are still about" if facts["decode_only"] else facts["about"],
    )


if __name__ == "__main__":
    raise SystemExit(main())
