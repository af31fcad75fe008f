"""``python -m vqaudio.evaluate FOLDER``: quality and rate of a model on recordings, beside other codecs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import vqaudio
from vqaudio.cli import command
from vqaudio.evaluation import EvaluationError, require
from vqaudio.evaluation.clips import Selection, select
from vqaudio.evaluation.peers import PEERS, OwnCodec, System, find_peers
from vqaudio.evaluation.report import as_data, plot, table
from vqaudio.evaluation.scoring import evaluate
from vqaudio.files import atomic_write
from vqaudio.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from vqaudio.codec import Codec

USUAL_CODEBOOKS = (1, 2, 3, 8)


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio evaluate",
        description="Code recordings with a model and with other codecs; print PESQ-WB, STOI, SI-SDR, log-mel distance "
        "and rate as a Markdown table of means with 95 % intervals. Recordings become mono at 16 kHz first.",
    )
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="all audio below it, or what its manifest.csv lists"
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="a shipped model's name or a file (default: %(default)s)"
    )
    parser.add_argument(
        "--codebooks", type=_numbers, metavar="N,N", help="codebooks to use (default: 1,2,3,8 as far as the model goes)"
    )
    parser.add_argument(
        "--peers",
        type=_names,
        metavar="NAME,NAME",
        help=f"other codecs: {', '.join(PEERS)}, or none (default: those whose tools are installed)",
    )
    parser.add_argument(
        "--split", choices=("valid", "train", "all"), help="of a folder with a manifest.csv (default: valid)"
    )
    parser.add_argument("--limit", type=_positive, metavar="N", help="evaluate N clips, evenly spread over the folder")
    parser.add_argument(
        "--min-seconds", type=float, default=1.0, metavar="S", help="skip shorter clips (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write means and the values of every file")
    parser.add_argument("--plot", type=Path, metavar="OUT.png", help="draw PESQ-WB and STOI over the rate")
    return parser


def _positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _numbers(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    names = [part.strip().lower() for part in text.split(",")]
    return [] if names == ["none"] else names


def _own_systems(codec: Codec, wanted: list[int] | None) -> list[System]:
    """The model at each number of codebooks."""
    most = codec.n_codebooks
    numbers = wanted if wanted is not None else [number for number in USUAL_CODEBOOKS if number <= most]
    if most == 0:
        raise EvaluationError(
            f"{codec.name}: has no codebooks, so it writes no files to evaluate; name a model that has"
        )
    if max(numbers) > most:
        raise EvaluationError(
            f"--codebooks {max(numbers)}: the model {codec.name} has {most}; ask for at most that many"
        )
    return [OwnCodec(codec, number) for number in dict.fromkeys(numbers)]


def _check_output(path: Path | None) -> None:
    """Fail before minutes of work rather than after."""
    if path is not None and not path.parent.is_dir():
        raise EvaluationError(f"{path}: its folder does not exist; create the folder or write elsewhere")


def _describe(selection: Selection, min_seconds: float) -> str:
    skipped = f", {selection.too_short} shorter than {min_seconds:g} s skipped" if selection.too_short else ""
    return f"{selection.folder}: {len(selection.paths)} clips{skipped}"


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    for package in ("pesq", "pystoi", "scipy.special", *(["matplotlib.figure"] if options.plot else [])):
        require(package)
    for path in (options.json, options.plot):
        _check_output(path)
    peers, notes = find_peers(options.peers)
    selection = select(options.folder, options.split, options.limit, options.min_seconds)
    codec = vqaudio.load(options.model)
    systems = [*_own_systems(codec, options.codebooks), *peers]
    for line in (_describe(selection, options.min_seconds), *notes):
        print(line, file=sys.stderr)
    result = evaluate(selection, systems, codec)
    print(table(result))
    if options.json:
        about = {"folder": str(options.folder), "model": options.model, "too_short": selection.too_short}
        with atomic_write(options.json) as file:
            file.write(json.dumps({**about, **as_data(result)}, indent=1, allow_nan=False).encode() + b"\n")
    if options.plot:
        plot(result, options.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
