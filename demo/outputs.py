"""Files for the page to show and to offer: each result in a folder of its own, gone after an hour."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from gradio.utils import get_upload_folder

from vqaudio.audio.sink import write_array
from vqaudio.audio.source import Window

KEEP_SECONDS = 3600
"""How long uploads and results stay."""


def new_folder() -> Path:
    """An empty folder; those of results that are too old are removed on the way."""
    results = Path(get_upload_folder()) / "results"
    results.mkdir(parents=True, exist_ok=True)
    for old in results.iterdir():
        if time.time() - old.stat().st_mtime > KEEP_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=results))


def kept_folder() -> Path:
    """A folder whose files stay as long as this process."""
    kept = Path(get_upload_folder()) / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def write_wav(path: Path, wav: Window, *, sample_rate: int) -> str:
    """``(channels, samples)`` as 16-bit WAV; returns the path as components take it."""
    write_array(wav, path, sample_rate=sample_rate)
    return str(path)
