"""The one recording that all tabs are about."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo_server import ROOT
from tools import MODEL, tiny_codec

from vqaudio.errors import VqaudioError

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import bar, examples, models


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


def test_only_uploads_are_read(uploads, tmp_path):
    """Whatever path a browser names."""
    (uploads / "a.wav").write_bytes(b"x")
    (tmp_path / "secret.wav").write_bytes(b"x")
    (uploads / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert bar.uploaded(str(uploads / "a.wav")) == (uploads / "a.wav").resolve()
    for path in (tmp_path / "secret.wav", uploads / ".." / "secret.wav", uploads / "link.wav", uploads / "no.wav", 3):
        with pytest.raises(VqaudioError, match="is not here any more"):
            bar.uploaded(str(path))


def test_a_vq_file_is_a_recording_too(uploads, monkeypatch):
    monkeypatch.setattr(models, "_offered", {"tiny": MODEL})
    path = ROOT / "tests" / "golden" / "tiny.vq"
    wav, rate = tiny_codec().decompress(path.read_bytes())
    current = bar.unpacked(path, path.name)
    heard, heard_rate = soundfile.read(current.path, dtype="float32", always_2d=True)
    assert heard_rate == rate
    assert np.max(np.abs(np.clip(wav, -1, 1) - heard.T)) <= 0.5 / 2**15 + 1e-7
    assert current.packed == str(path)
    assert f"{path.stat().st_size:,} bytes" in current.note


def test_there_is_always_something_to_hear(uploads, monkeypatch):
    """Without recordings, strings of digits that a model says."""
    monkeypatch.setenv("VQAUDIO_DATA", str(uploads))
    for made in (examples.names, examples.held_out):
        made.cache_clear()
    assert examples.names()[0].startswith("Digits, ")
    path = examples.make(examples.names()[0])
    seconds = soundfile.info(path).duration
    assert 1.5 < seconds < 6
    assert examples.make(examples.names()[-1]).read_bytes() == (ROOT / "examples" / "vowels.wav").read_bytes()
    for made in (examples.names, examples.held_out):
        made.cache_clear()


def test_examples_are_copies_that_may_go(uploads):
    first, second = (examples.make(examples.VOWELS) for _ in range(2))
    assert first != second
    assert Path(first).parent != (ROOT / "examples")
