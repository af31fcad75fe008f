"""Examples in docstrings and in the README do what they say."""

from __future__ import annotations

import doctest
import re
import shutil
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "vqaudio").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    failed, attempted = doctest.testmod(import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert attempted > 0
    assert failed == 0, "see above"


def test_there_are_examples_where_users_begin():
    assert {"vqaudio", "vqaudio.container.writer", "vqaudio.series.writer"} <= set(MODULES)


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    """As it stands there, one line after another, where ``speech.wav`` and ``speech.vq`` are."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples" / "vowels.wav", "speech.wav")
    shutil.copy(ROOT / "tests" / "golden" / "releases" / "0.6.0" / "prior.vq", "speech.vq")
    found: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), found)
    assert found["new"].shape == (80000,)
    assert found["part"].shape == (1, found["rate"])
    assert found["other"].shape == found["wav"].T.shape
