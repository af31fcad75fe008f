"""The ``vqaudio`` script, and how every command ends."""

from __future__ import annotations

import errno
import importlib
import os
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tools import GOLDEN, one_line

import vqaudio
from vqaudio import cli
from vqaudio.cli.program import COMPLETION
from vqaudio.errors import AudioWarning, ModelError


def test_commands_pass_their_arguments_on(capsys):
    assert cli.main(["info", str(GOLDEN / "tiny.vq")]) == 0
    assert "format version" in capsys.readouterr().out
    assert cli.main(["info", "/no/such/file.vq"]) == 1


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_usage_lists_the_commands(arguments, capsys):
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in cli.COMMANDS)


def test_the_version_is_the_packages(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr() == (f"vqaudio {vqaudio.__version__}\n", "")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_has_an_example_that_the_command_takes(name, capsys):
    command = importlib.import_module(f"vqaudio.{name}").main
    assert command(["--help"]) == 0
    assert f"Example:\n    vqaudio {name} {command.example}\n" in capsys.readouterr().out
    command.make_context(name, shlex.split(command.example))


@pytest.mark.parametrize(
    ("arguments", "guess"),
    [
        (["compres"], "'compress'"),
        (["info", "x.vq", "--jsn"], "Did you mean '--json'?"),
        (["decompress", "x.vq", "x.wav", "--begin-at", "3"], "No such option '--begin-at' ("),
    ],
)
def test_what_may_have_been_meant_is_said(arguments, guess, capsys):
    assert cli.main(arguments) == 2
    assert one_line(capsys, "error: No such ", guess)


@pytest.mark.parametrize(
    ("words", "last", "offered"),
    [
        ([], "dec", {"decode", "decompress"}),
        (["sample"], "--list", {"--list-speakers", "--list-labels", "--list-text"}),
        (["score", "--model"], "dig", {"digits", "dig"}),
    ],
)
def test_the_shell_completes_commands_and_options(words, last, offered, monkeypatch, capsys):
    line = ["vqaudio", *words, last]
    monkeypatch.setenv(COMPLETION, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(line))
    monkeypatch.setenv("COMP_CWORD", str(len(line) - 1))
    with pytest.raises(SystemExit, match="0"):
        cli.main([])
    assert {each.split(",")[1] for each in capsys.readouterr().out.split()} == offered


def test_an_unknown_command(capsys):
    assert cli.main(["shrink", "x"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: No such command 'shrink' (vqaudio --help tells more)\n"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ModelError("that is no model"), 1, "error: that is no model\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (OSError(errno.EIO, "Input/output error", "x.vq"), 1, "error: x.vq: Input/output error\n"),
        (OSError("went wrong"), 1, "error: a file: went wrong\n"),
    ],
)
def test_expected_failures_become_a_line_and_a_status(error, status, message, capsys):
    @cli.command
    def main(argv: list[str] | None = None) -> int:
        raise error

    assert main([]) == status
    assert capsys.readouterr() == ("", message)


def test_warnings_of_ours_become_a_line(capsys):
    @cli.command
    def main(argv: list[str] | None = None) -> int:
        for _ in range(2):
            warnings.warn("a.wav: ends early", AudioWarning, stacklevel=1)
        return 0

    assert main([]) == 0
    assert capsys.readouterr() == ("", 2 * "warning: a.wav: ends early\n")


def test_mistakes_of_ours_are_not_hidden():
    @cli.command
    def main(argv: list[str] | None = None) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main([])


def test_output_that_nobody_reads_ends_in_silence():
    process = subprocess.Popen(
        [sys.executable, "-m", "vqaudio", "info", str(GOLDEN / "tiny.vq")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    process.stdout.close()
    process.stdout = None
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (141, b"")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "1"),
        ({"OPENBLAS_NUM_THREADS": "2"}, "2"),
        ({"OMP_NUM_THREADS": "2"}, None),
    ],
)
def test_numpy_has_one_thread_in_a_command_unless_more_are_asked_for(asked, found):
    script = (
        "import os, sys\n"
        "from vqaudio.cli import main\n"
        "sys.argv = ['vqaudio', 'models', '--help']\n"
        "assert main() == 0 and 'numpy' not in sys.modules\n"
        "print(os.environ.get('OPENBLAS_NUM_THREADS'))\n"
    )
    inherited = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    environment = {**inherited, **asked, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == str(found)


def test_threads_of_a_process_that_calls_a_command_are_its_own(monkeypatch, capsys):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert cli.main(["models", "--help"]) == 0
    assert "OPENBLAS_NUM_THREADS" not in os.environ
