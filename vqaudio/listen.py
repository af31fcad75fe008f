"""``python -m vqaudio.listen FOLDER OUT``: a page to hear a model beside the originals and other codecs."""

from __future__ import annotations

from pathlib import Path

import click

from vqaudio.cli.options import PATH
from vqaudio.cli.program import Command
from vqaudio.evaluation.options import Setup, evaluation_options, prepare


@click.command("listen", cls=Command, example="recordings page --codebooks 3,9")
@click.argument("folder", type=PATH)
@click.argument("out", type=PATH)
@evaluation_options(limit=8, min_seconds=2.0)
def main(setup: Setup, out: Path) -> int:
    """Code recordings with a model and with other codecs, and write a web page to hear and see them.

    Players, spectrograms, rates and scores of all audio below FOLDER, or of what its manifest.csv lists, go to
    OUT/index.html; OUT is a new folder, or an earlier page's, which is replaced. Recordings become mono at 16 kHz
    first.
    """
    from vqaudio.evaluation.page import new_folder, write_page  # late: --help does without

    with new_folder(out) as folder:
        write_page(folder, prepare(setup, "jinja2", "matplotlib.figure"), progress=not setup.quiet)
    print(out / "index.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
