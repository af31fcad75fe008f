"""``python -m demo``: serve the page."""

from __future__ import annotations

import argparse
from pathlib import Path

from vqaudio.cli import command
from vqaudio.errors import VqaudioError


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="Open the demo in a browser at the address that is printed."
    )
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in (default: %(default)s)")
    parser.add_argument("--port", type=int, metavar="N", help="default: the first free one from 7860 on")
    parser.add_argument(
        "--model", type=Path, action="append", default=[], metavar="PATH", help="offer a model of your own; repeatable"
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = arguments().parse_args(argv)
    try:
        from demo import app, models
    except ModuleNotFoundError as error:
        raise VqaudioError(f"the demo needs the package {error.name}: pip install '.[demo]'") from None
    models.offer(options.model)
    page = app.build()
    try:
        app.launch(page, options.host, options.port)
    except OSError as error:
        raise VqaudioError(
            f"{options.host}:{options.port or 7860}: cannot be served ({error}): try another --port"
        ) from None
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
