"""What the command lines that evaluate share: which clips, through which codecs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vqaudio.container import ENTROPY_MODES
from vqaudio.evaluation import EvaluationError, require
from vqaudio.evaluation.clips import Selection, select
from vqaudio.evaluation.peers import PEERS, OwnCodec, System, find_peers
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.codec import Codec

USUAL_CODEBOOKS = (1, 2, 3, 4, 6)


def add_options(parser: argparse.ArgumentParser, limit: int | None = None, min_seconds: float = 1.0) -> None:
    """Add the folder and what is chosen of it, the model and its codebooks, and the other codecs."""
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="all audio below it, or what its manifest.csv lists"
    )
    parser.add_argument("--model", help=f"a shipped model's name or a file (default: {DEFAULT_MODEL})")
    parser.add_argument(
        "--codebooks",
        type=_numbers,
        metavar="N,N",
        help="codebooks to use (default: 1,2,3,4,6 as far as the model goes, and all)",
    )
    parser.add_argument(
        "--entropy",
        type=_modes,
        metavar="MODE,MODE",
        help="entropy modes to use (default: prior where the model has one, else none)",
    )
    parser.add_argument(
        "--rdo",
        type=_weights,
        default=[0.0],
        metavar="L,L",
        help="λ to choose codes with, in the mode prior (default: 0)",
    )
    parser.add_argument("--prior", type=Path, metavar="PATH", help="an integer prior, in place of the model's own")
    parser.add_argument(
        "--peers",
        type=_names,
        metavar="NAME,NAME",
        help=f"other codecs: {', '.join(PEERS)}, or none (default: those whose tools are installed)",
    )
    parser.add_argument(
        "--split", choices=("valid", "train", "all"), help="of a folder with a manifest.csv (default: valid)"
    )
    shown = "all" if limit is None else "%(default)s"
    parser.add_argument(
        "--limit",
        type=_positive,
        default=limit,
        metavar="N",
        help=f"take N clips, evenly spread over the folder (default: {shown})",
    )
    parser.add_argument(
        "--min-seconds", type=float, default=min_seconds, metavar="S", help="skip shorter clips (default: %(default)s)"
    )


def _positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _numbers(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _modes(text: str) -> list[str]:
    return [part.strip().lower() for part in text.split(",")]


def _weights(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    names = [part.strip().lower() for part in text.split(",")]
    return [] if names == ["none"] else names


def prepare(options: argparse.Namespace, *packages: str) -> tuple[Selection, list[System], Codec]:
    """The clips, every system that they go through, and our own codec; says on standard error what was chosen.

    Raises:
        EvaluationError: one of ``packages`` or of the metrics' is missing, or there is nothing to evaluate.
        VqaudioError: a clip or the model cannot be read.
    """
    for package in ("pesq", "pystoi", "scipy.special", *packages):
        require(package)
    peers, notes = find_peers(options.peers)
    selection = select(options.folder, options.split, options.limit, options.min_seconds)
    from vqaudio.codec import load  # after the arguments are known to be good: torch takes seconds to import

    codec = load(options.model or DEFAULT_MODEL, prior=options.prior)
    systems = [*_own_systems(codec, options), *peers]
    for line in (_describe(selection, options.min_seconds), *notes):
        print(line, file=sys.stderr)
    return selection, systems, codec


def _own_systems(codec: Codec, options: argparse.Namespace) -> list[System]:
    """The model at each number of codebooks, in each entropy mode."""
    wanted: list[int] | None = options.codebooks
    most = codec.n_codebooks
    least = codec.least_codebooks
    usual = [*(number for number in USUAL_CODEBOOKS if least <= number < most), most]
    numbers = usual if wanted is None else wanted
    if most == 0:
        raise EvaluationError(
            f"{codec.name}: has no codebooks, so it writes no files to evaluate; name a model that has"
        )
    if max(numbers) > most:
        raise EvaluationError(
            f"--codebooks {max(numbers)}: the model {codec.name} has {most}; ask for at most that many"
        )
    if min(numbers) < least:
        raise EvaluationError(
            f"--codebooks {min(numbers)}: the model {codec.name} cannot do with so few; ask for at least {least}"
        )
    modes: list[str | None] = options.entropy or [None]
    if unknown := {str(mode) for mode in modes if mode is not None} - set(ENTROPY_MODES):
        raise EvaluationError(f"--entropy {', '.join(sorted(unknown))}: expected some of {', '.join(ENTROPY_MODES)}")
    ways = [(mode, rdo) for mode in modes for rdo in ([0.0] if mode in ("none", "context") else options.rdo)]
    return [OwnCodec(codec, number, *way) for number in dict.fromkeys(numbers) for way in dict.fromkeys(ways)]


def _describe(selection: Selection, min_seconds: float) -> str:
    skipped = f", {selection.too_short} shorter than {min_seconds:g} s skipped" if selection.too_short else ""
    return f"{selection.folder}: {len(selection.paths)} clips{skipped}"
