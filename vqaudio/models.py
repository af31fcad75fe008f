"""``python -m vqaudio.models``: which models there are, and what for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
from safetensors import safe_open

from vqaudio import options
from vqaudio.cli import Command
from vqaudio.config import ModelConfig, parse
from vqaudio.container import Stream
from vqaudio.entropy import prior_of
from vqaudio.registry import DEFAULT_MODEL, MODELS, find, fingerprint, shipped_models


@click.command("models", cls=Command, example="--json")
@options.as_json
def main(as_json: bool) -> int:
    """List the models that are shipped: those for sound, the default with a star, then those for tables.

    kb/s are those of one channel with all codebooks, before the prior makes them fewer. A second size is the prior's.
    """
    tables = sorted((MODELS / "series").glob("*.safetensors"))
    facts = [*map(_of_sound, shipped_models()), *map(_of_tables, tables)]
    if as_json:
        print(json.dumps(facts, indent=2))
        return 0
    rows = [("name", "rate", "codebooks", "kb/s", "speakers", "size", "what for"), *map(_row, facts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _of_sound(name: str) -> dict[str, Any]:
    path = find(name)
    config = parse(ModelConfig, _metadata(path), str(path))
    streams = [Stream(*pair) for pair in config.bottleneck.streams]
    prior = prior_of(fingerprint(path))
    speakers = config.speakers or (() if prior is None else _metadata(prior)["fields"].get("speaker", ()))
    return {
        "name": name,
        "default": name == DEFAULT_MODEL,
        "for": "sound",
        "about": _about(path),
        "fingerprint": fingerprint(path),
        "sample_rate_hz": config.sample_rate,
        "frame_rate_hz": config.frame_rate,
        "codebook_sizes": [stream.alphabet for stream in streams],
        "kbps": round(sum(config.frame_rate * stream.bits / stream.stride for stream in streams) / 1000, 3),
        "speakers": len(speakers),
        "bytes": path.stat().st_size,
        "prior_bytes": 0 if prior is None else prior.stat().st_size,
    }


def _of_tables(path: Path) -> dict[str, Any]:
    return {
        "name": path.stem,
        "for": "tables",
        "about": _about(path),
        "fingerprint": fingerprint(path),
        "bytes": path.stat().st_size,
    }


def _metadata(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="numpy") as file:
        return dict(json.loads(file.metadata()["config"]))


def _about(path: Path) -> str:
    """How the model's card begins, up to the first colon or the end of the sentence."""
    paragraph = path.with_suffix(".md").read_text(encoding="utf-8").split("\n\n")[1]
    return re.split(r"[:.](?:\s|$)", " ".join(paragraph.split()))[0]


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    size = f"{facts['bytes'] / 1e6:.2g} MB"
    if facts["for"] == "tables":
        return (facts["name"], "", "", "", "", size, facts["about"])
    sizes = facts["codebook_sizes"]
    same = len(set(sizes)) == 1
    return (
        facts["name"] + (" *" if facts["default"] else ""),
        f"{facts['sample_rate_hz']} Hz",
        f"{len(sizes)} of {sizes[0]}" if same else ", ".join(map(str, sizes)),
        f"{facts['kbps']:g}",
        str(facts["speakers"] or ""),
        size + (f" + {facts['prior_bytes'] / 1e6:.2g}" if facts["prior_bytes"] else ""),
        facts["about"],
    )


if __name__ == "__main__":
    raise SystemExit(main())
