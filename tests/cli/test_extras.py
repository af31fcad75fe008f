"""What a bare installation lacks is named in one sentence by every command that needs it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile

import vqaudio
from vqaudio.cli.extras import EXTRAS
from vqaudio.cli.program import COMMANDS
from vqaudio.series import Column, Table, compress
from vqaudio.series.table import VALUE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml"}  # where another name is installed than is imported
FOLDERS = {"sounds", "tokens", "page", "out"}
HIDDEN = """
import importlib.abc, runpy, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {names!r} else real(name, package)
sys.meta_path.insert(0, Hidden())
sys.argv = {argv!r}
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def test_the_names_are_those_that_the_extras_bring():
    for extra, names in EXTRAS.items():
        found = (re.split("[^a-zA-Z0-9_-]", text)[0] for text in PROJECT["optional-dependencies"][extra])
        wanted = {name.replace("_", "-") for name in found}
        wanted -= {"vqaudio"}  # with other extras
        assert {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in names} == wanted


def without_extras(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where only the bare package is installed."""
    names = {name for extra in EXTRAS.values() for name in extra}
    script = HIDDEN.format(names=names, argv=[f"vqaudio.{command}", *arguments])
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("train", "config.yaml"), "train"),
        (("tokenize", "sounds", "tokens"), "tables"),
        (("evaluate", "sounds"), "eval"),
        (("evaluate", "table.csv"), "eval"),
        (("listen", "sounds", "page.html"), "eval"),
        (("compress", "table.csv", "out.vq"), "tables"),
        (("compress", "table.parquet", "out.vq"), "tables"),
        (("decompress", "table.vq", "out.parquet"), "tables"),
        (("decode", "sounds", "out"), "tables"),
        (("compress", "sound.m4a", "out.vq"), "media"),
        (("compress", "--backend", "torch", "sound.wav", "out.vq"), "torch"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_command_without_its_extra_says_what_to_install(tmp_path, arguments, extra):
    (tmp_path / "config.yaml").write_text("{}", encoding="utf-8")
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "tokens.parquet").touch()
    (tmp_path / "sound.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(16))
    shutil.copy(ROOT / "examples" / "vowels.wav", tmp_path / "sound.wav")
    (tmp_path / "table.csv").write_text("a\n1\n", encoding="utf-8")
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    column = Column("a", "int8", np.ones(1, np.int8), np.full(1, VALUE, np.uint8))
    (tmp_path / "table.vq").write_bytes(compress(Table([column], {"suffix": ".csv"})))
    command, *names = arguments
    done = without_extras(
        command, *(str(tmp_path / name) if "." in name or name in FOLDERS else name for name in names)
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert re.search(rf": pip install 'vqaudio\[{extra}\]'(, or [^\n]+)?\n\Z", done.stderr)
    assert done.stderr.count("\n") == 1


def test_sound_goes_there_and_back_without_any_extra(tmp_path):
    sound, coded, decoded = ROOT / "examples" / "vowels.wav", tmp_path / "sound.vq", tmp_path / "sound.wav"
    for command, *paths in (("compress", sound, coded), ("decompress", coded, decoded)):
        done = without_extras(command, "--quiet", *map(str, paths))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert soundfile.info(decoded).frames == soundfile.info(sound).frames


def test_all_other_commands_start_without_any_extra():
    for command in sorted(set(COMMANDS) - {"train", "tokenize", "evaluate", "listen"}):
        done = without_extras(command, "--help")
        assert (done.returncode, done.stderr) == (0, ""), command


def test_there_is_one_version():
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert importlib.metadata.version("vqaudio") == vqaudio.__version__
