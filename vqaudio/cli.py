"""What all command lines share, and the ``vqaudio`` script that gathers them."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable

from vqaudio.errors import VqaudioError

COMMANDS = {
    "compress": "audio to .vq",
    "decompress": ".vq to audio",
    "info": "what a .vq file holds",
    "evaluate": "quality and rate beside other codecs",
    "train": "train a model",
}


def command(main: Callable[[list[str] | None], int]) -> Callable[[list[str] | None], int]:
    """Turn expected failures into one line on stderr and an exit status, without a traceback."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            return main(argv)
        except VqaudioError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output went away: nothing is left to say, or to whom
            return 141

    return wrapped


def main(argv: list[str] | None = None) -> int:
    """``vqaudio COMMAND ...``: the same as ``python -m vqaudio.COMMAND ...``."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in COMMANDS:
        module = importlib.import_module(f"vqaudio.{arguments[0]}")
        return int(module.main(arguments[1:]))
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
    usage = f"usage: vqaudio COMMAND ...\n\n{listing}\n\nvqaudio COMMAND --help tells more."
    asked = not arguments or arguments[0] in {"-h", "--help"}
    if asked:
        print(usage)
        return 0
    print(f"error: {arguments[0]}: no such command\n\n{usage}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
