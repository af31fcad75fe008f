"""``python -m vqaudio.listen FOLDER OUT``: a page to hear a model beside the originals and other codecs."""

from __future__ import annotations

from pathlib import Path

import click

from vqaudio.cli.options import PATH
from vqaudio.cli.program import Command
from vqaudio.evaluation.options import Setup, evaluation_options, prepare

ABOUT = (
    "Mono at 16 kHz. Sizes and rates are those of whole files. Every take is played as loud as its original. "
    "Spectrograms show 80 mel bands over 80 dB, on one scale for each recording."
)


@click.command("listen", cls=Command, example="recordings page.html --codebooks 3,9")
@click.argument("folder", type=PATH)
@click.argument("out", type=PATH)
@evaluation_options(limit=8, min_seconds=2.0)
def main(setup: Setup, out: Path) -> int:
    """Code recordings with a model and with other codecs, and write a web page to hear and see them.

    All audio below FOLDER, or what its manifest.csv lists, with a listening desk for each recording: one playhead for
    the original and every codec, a blind test, spectrograms, tokens, rates and scores. OUT is one HTML file that needs
    no server; an earlier page there is replaced. Recordings become mono at 16 kHz first.
    """
    from vqaudio.evaluation.page import Page, write_page  # late: --help does without

    page = Page(out, ABOUT)
    write_page(page, prepare(setup, "jinja2"), progress=not setup.quiet)
    print(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
