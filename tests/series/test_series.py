"""What the room of tables offers, and what it takes to know how their files are called."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vqaudio import series


def test_every_name_is_there():
    for name in series.__all__:
        assert getattr(series, name) is not None
    with pytest.raises(AttributeError, match=r"module 'vqaudio\.series' has no attribute 'Row'"):
        _ = series.Row


def test_suffixes_are_known_without_numpy():
    script = (
        "import sys; from pathlib import Path; from vqaudio.series import suffix_of\n"
        "assert suffix_of(Path('a.CSV')) == '.csv' and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)
