"""``python -m vqaudio.models``: which models there are, and what for."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import Any

import click

from vqaudio.cli import options
from vqaudio.cli.program import Command


@click.command("models", cls=Command, example="--json")
@options.as_json
def main(as_json: bool) -> int:
    """List the models that are shipped: those for sound, the default with a star, then those for tables.

    kb/s are those of one channel with all codebooks, before the prior makes them fewer. A second size is the prior's.
    Decoders have a fingerprint, and a version before it where versions are counted. In a checkout, models that are not
    shipped any more are listed as well: they decode only.
    """
    from vqaudio.cli.facts import models  # late: --help does without

    facts = models()
    if as_json:
        print(json.dumps(facts, indent=2))
        return 0
    rows = [("name", "rate", "codebooks", "kb/s", "speakers", "decoder", "size", "what for"), *map(_row, facts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


class _Callable(ModuleType):
    """Importing this module makes it ``vqaudio.models``, which is a function that lists models, and still is one so."""

    def __call__(self) -> list[dict[str, Any]]:
        from vqaudio.cli.facts import models

        return models()


sys.modules[__name__].__class__ = _Callable


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
