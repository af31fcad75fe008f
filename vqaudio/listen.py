"""``python -m vqaudio.listen FOLDER OUT``: a page to hear a model beside the originals and other codecs."""

from __future__ import annotations

import argparse
from pathlib import Path

from vqaudio.cli import command
from vqaudio.evaluation.options import add_options, prepare
from vqaudio.evaluation.page import new_folder, write_page


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="vqaudio listen",
        description="Code recordings with a model and with other codecs, and write a web page to hear and see them: "
        "players, spectrograms, rates and scores, in OUT/index.html. Recordings become mono at 16 kHz first.",
    )
    add_options(parser, limit=8, min_seconds=2.0)
    parser.add_argument("out", metavar="OUT", type=Path, help="a new folder, or an earlier page's, which is replaced")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    with new_folder(options.out) as folder:
        write_page(folder, *prepare(options, "jinja2", "matplotlib.figure"))
    print(options.out / "index.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
