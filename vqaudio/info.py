"""``python -m vqaudio.info FILE``: what a ``.vq`` file holds, without decoding it, or a model's file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import click

from vqaudio.cli import options
from vqaudio.cli.facts import facts_of
from vqaudio.cli.program import Command
from vqaudio.container import Reader
from vqaudio.errors import ModelError
from vqaudio.files import input_name, open_input
from vqaudio.prior.entropy import coders
from vqaudio.registry import (
    decoder_of,
    find,
    find_fingerprint,
    fingerprint,
    models_here,
    name_of,
)
from vqaudio.series import Stored, starts_series
from vqaudio.series import describe as describe_table


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
    if _is_model(path):
        found = find(path)
        _show({"file": str(found), "model": _called(fingerprint(found))} | facts_of(found), as_json, quiet)
        return 0
    with open_input(path) as file:
        name = input_name(path)
        if starts_series(file):
            facts = describe_table(Stored(file.read(), name), file.tell())
        else:
            facts = describe(Reader(cast(Any, file), name, coders(prior)), file.seek(0, 2))
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


def _called(codes: str) -> str:
    return name_of(codes) or "not shipped here"


def _show(facts: dict[str, Any], as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=2))
    elif not quiet:
        width = max(map(len, facts)) + 2
        for name, value in facts.items():
            shown = "; ".join(map(str, value)) if isinstance(value, list) else value
            shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else shown
            print(f"{name.replace('_', ' '):{width}}{'none' if shown in ('', None) else shown}")


def _decoder(codes: str) -> dict[str, Any]:
    """The decoder that is here for some codes, by their fingerprint."""
    try:
        decoder = decoder_of(find_fingerprint(codes))
    except ModelError:
        return {"decoder_version": None, "decoder_fingerprint": None}
    return {"decoder_version": decoder.version, "decoder_fingerprint": decoder.fingerprint}


def describe(reader: Reader, size: int) -> dict[str, Any]:
    """The header, what follows from it, and whatever is damaged; every chunk is read and checked.

    The decoder is the one that plays the file here, if one does. ``unchecked`` says why chunks are not, where the prior
    that they were coded with is not at hand.
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
        "model": _called(header.codec),
        "model_fingerprint": header.codec,
        **_decoder(header.codec),
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
