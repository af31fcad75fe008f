"""``python -m vqaudio.evaluate FOLDER``: quality and rate of a model on recordings, beside other codecs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vqaudio.cli import command
from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.options import add_options, prepare
from vqaudio.evaluation.report import as_data, plot, table
from vqaudio.evaluation.scoring import evaluate
from vqaudio.files import atomic_write


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio evaluate",
        description="Code recordings with a model and with other codecs; print PESQ-WB, STOI, SI-SDR, log-mel distance "
        "and rate as a Markdown table of means with 95 % intervals. Recordings become mono at 16 kHz first.",
    )
    add_options(parser)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write means and the values of every file")
    parser.add_argument("--plot", type=Path, metavar="OUT.png", help="draw PESQ-WB and STOI over the rate")
    return parser


def _check_output(path: Path | None) -> None:
    """Fail before minutes of work rather than after."""
    if path is not None and not path.parent.is_dir():
        raise EvaluationError(f"{path}: its folder does not exist; create the folder or write elsewhere")


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    for path in (options.json, options.plot):
        _check_output(path)
    selection, systems, codec = prepare(options, *(["matplotlib.figure"] if options.plot else []))
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
