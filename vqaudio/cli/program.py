"""What all command lines share, and the ``vqaudio`` script that gathers them."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from vqaudio.errors import AudioWarning, VqaudioError

COMMANDS = {
    "compress": "sound, or a table of numbers, to .vq",
    "decompress": ".vq to what it was",
    "append": "more rows to a table's .vq file",
    "convert": "a recording in another speaker's voice",
    "info": "what a .vq file holds",
    "models": "which models there are, and what for",
    "sample": "new sound from a model's prior",
    "score": "bits per token by a model's prior",
    "transcribe": "what is said, by a model's prior",
    "evaluate": "quality and rate beside other codecs",
    "listen": "a page to hear a model beside other codecs",
    "train": "train a codec or a prior",
    "tokenize": "recordings to tokens, for priors to learn from",
    "decode": "tokens back to sound",
    "export": "a model as ONNX files",
}
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMPLETION = "_VQAUDIO_COMPLETE"
"""Set by the shell when it asks how a line may go on; ``bash_source`` and the like ask for what the shell needs."""


class Main(Protocol):
    """A command line."""

    def __call__(self, argv: list[str] | None = None) -> int:
        """Arguments (those of the process by default) to an exit status."""


def command(main: Main) -> Main:
    """Turn expected failures into one line on stderr and an exit status, without a traceback; warnings into a line."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            with warnings_in_one_line():
                status = main(argv)
            sys.stdout.flush()
            return status
        except click.exceptions.Exit as end:  # after --help and the like
            return end.exit_code
        except click.UsageError as error:
            asked = "" if error.ctx is None else f" ({error.ctx.command_path} --help tells more)"
            print(f"error: {error.format_message().rstrip('.')}{asked}", file=sys.stderr)
            return error.exit_code
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


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Print warnings about sound files as what they are; those of other packages as ever."""

    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, AudioWarning):
                print(f"warning: {message}", file=sys.stderr)
            else:
                others(message, category, *where)

        warnings.showwarning = show  # type: ignore[assignment]
        warnings.simplefilter("always", AudioWarning)
        yield


def _give_up_unread_output() -> None:
    """Where nobody reads standard output any more, drop what is left of it, or Python complains on its way out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Command(click.Command):
    """A command of ``vqaudio``, to be called as :class:`Main` says; ``example`` is a line that shows it at work."""

    def __init__(self, name: str, *, example: str, **settings: Any):
        epilog = f"\b\nExample:\n  vqaudio {name} {example}"
        super().__init__(name, epilog=epilog, context_settings=SETTINGS, **settings)
        self.example = example

    def __call__(self, argv: list[str] | None = None) -> int:
        return _run(self, f"vqaudio {self.name}", argv)


class _Commands(click.Group):
    """The commands by name; the module of one is imported when it is called, not to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        return name, None if name is None else importlib.import_module(f"vqaudio.{name}").main, rest


@click.group(
    "vqaudio",
    cls=_Commands,
    commands=[click.Command(name, help=text) for name, text in COMMANDS.items()],
    invoke_without_command=True,
    context_settings=SETTINGS,
    epilog="vqaudio COMMAND --help tells more.",
)
@click.version_option(package_name="vqaudio", prog_name="vqaudio", message="%(prog)s %(version)s")
@click.pass_context
def _vqaudio(context: click.Context) -> None:
    """A neural speech codec: sound and tables to small .vq files and back, and new sound."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _give_numpy_one_thread() -> None:
    """Let numpy multiply on one thread, unless the environment asks for some number; for this process alone to decide.

    Matrices are small here: OpenBLAS's other threads would spin for most of the time, on cores that networks could use.
    It has to be said before numpy is imported, and ONNX Runtime has threads of its own.
    """
    if "OMP_NUM_THREADS" not in os.environ:  # which counts for OpenBLAS as well
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _run(program: click.Command, name: str, argv: list[str] | None) -> int:
    if argv is None:  # this process is the command
        _give_numpy_one_thread()

    @command
    def main(argv: list[str] | None = None) -> int:
        with program.make_context(name, list(sys.argv[1:] if argv is None else argv)) as context:
            return int(program.invoke(context) or 0)

    return main(argv)


def main(argv: list[str] | None = None) -> int:
    """``vqaudio COMMAND ...``: the same as ``python -m vqaudio.COMMAND ...``."""
    if COMPLETION in os.environ:
        _vqaudio.main(prog_name="vqaudio", complete_var=COMPLETION)
    return _run(_vqaudio, "vqaudio", argv)


if __name__ == "__main__":
    raise SystemExit(main())
