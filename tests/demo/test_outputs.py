"""What the page gives back does not stay for ever."""

from __future__ import annotations

import os
import time
import warnings

import pytest

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import outputs


def test_old_results_go(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    old, young = outputs.new_folder(), outputs.new_folder()
    (old / "a.wav").write_bytes(b"x")
    past = time.time() - outputs.KEEP_SECONDS - 1
    os.utime(old, (past, past))
    new = outputs.new_folder()
    assert [folder.exists() for folder in (old, young, new)] == [False, True, True]
