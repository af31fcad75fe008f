"""What all command lines share, and the ``vqaudio`` script that gathers them."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from typing import Protocol

from vqaudio.errors import VqaudioError

COMMANDS = {
    "compress": "sound, or a table of numbers, to .vq",
    "decompress": ".vq to what it was",
    "convert": "a recording in another speaker's voice",
    "info": "what a .vq file holds",
    "sample": "new sound from a model's prior",
    "score": "bits per token by a model's prior",
    "evaluate": "quality and rate beside other codecs",
    "listen": "a page to hear a model beside other codecs",
    "train": "train a codec or a prior",
    "tokenize": "recordings to tokens, for priors to learn from",
}


class Command(Protocol):
    """A command line."""

    def __call__(self, argv: list[str] | None = None) -> int:
        """Arguments (those of the process by default) to an exit status."""


def command(main: Command) -> Command:
    """Turn expected failures into one line on stderr and an exit status, without a traceback."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            status = main(argv)
            sys.stdout.flush()
            return status
        except VqaudioError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:  # the reader of our output went away: nothing is left to say
            return 141
        except OSError as error:
            print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
            return 1
        finally:
            _give_up_unread_output()

    return wrapped


def _give_up_unread_output() -> None:
    """Where nobody reads standard output any more, drop what is left of it, or Python complains on its way out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
