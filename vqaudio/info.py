"""``python -m vqaudio.info FILE``: what a ``.vq`` file holds, without decoding it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, cast

from vqaudio.cli import command
from vqaudio.container import Reader
from vqaudio.entropy import coders
from vqaudio.errors import ModelError
from vqaudio.files import input_name, open_input
from vqaudio.registry import name_of
from vqaudio.series import Stored, starts_series
from vqaudio.series import describe as describe_table


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio info",
        description="Say what a .vq file holds and check all of it. Exits with status 1 where it is damaged.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="a .vq file, or - for standard input")
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior that is not shipped here")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    with open_input(options.file) as file:
        name = input_name(options.file)
        if starts_series(file):
            facts = describe_table(Stored(file.read(), name), file.tell())
        else:
            facts = describe(Reader(cast(Any, file), name, coders(options.prior)), file.seek(0, 2))
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        width = max(map(len, facts)) + 2
        for name, value in facts.items():
            shown = "; ".join(map(str, value)) if isinstance(value, list) else value
            print(f"{name.replace('_', ' '):{width}}{'none' if shown == '' else shown}")
    if facts["unchecked"]:
        print(f"error: {facts['unchecked']}", file=sys.stderr)
    return 1 if facts["damage"] or facts["unchecked"] else 0


def describe(reader: Reader, size: int) -> dict[str, Any]:
    """The header, what follows from it, and whatever is damaged; every chunk is read and checked.

    ``unchecked`` says why not, where the prior that the chunks were coded with is not at hand.
    """
    header = reader.header
    damage, unchecked = list(reader.problems), ""
    try:
        for chunk in reader:
            if chunk.problem is not None:
                start, stop = reader.time_range(chunk.index)
                damage.append(f"chunk {chunk.index} ({start:.2f}-{stop:.2f} s): {chunk.problem}")
    except ModelError as error:
        unchecked = str(error)
    seconds = reader.n_samples / header.source_rate
    return {
        "file": reader.name,
        "format_version": header.version,
        "model": name_of(header.codec) or "not shipped here",
        "model_fingerprint": header.codec,
        "seconds": round(seconds, 6),
        "samples": reader.n_samples,
        "sample_rate_hz": header.source_rate,
        "coded_rate_hz": header.coded_rate,
        "channels": header.channels,
        "codebooks": len(header.streams),
        "codebook_size": sorted({stream.alphabet for stream in header.streams})[-1],
        "frame_rate_hz": header.frame_rate,
        "entropy": header.entropy,
        "prior_fingerprint": header.prior or "none",
        "condition": header.condition,
        "chunks": reader.n_chunks,
        "chunk_seconds": header.chunk_seconds,
        "bytes": size,
        "kbps": round(size * 8 / seconds / 1000, 3) if seconds else 0.0,
        "damage": damage,
        "unchecked": unchecked,
    }


if __name__ == "__main__":
    raise SystemExit(main())
