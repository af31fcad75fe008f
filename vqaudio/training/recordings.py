"""Which recordings there are to learn from. No torch: a folder that is missing is noticed at once."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from vqaudio.audio.file_source import SUFFIXES
from vqaudio.errors import AudioError


@dataclass(frozen=True)
class Recording:
    """One file: where it is, what it belongs to, and whether it is for training; who speaks and what, where known."""

    path: Path
    corpus: str
    split: str
    speaker: str = ""
    label: str = ""


def data_folder(configured: str | None = None) -> Path:
    """The folder of recordings: the configured one, else ``$VQAUDIO_DATA/speech``, else ``../shared/data/speech``."""
    if configured is not None:
        return Path(configured)
    return Path(os.environ.get("VQAUDIO_DATA", "../shared/data")) / "speech"


def list_recordings(folder: Path) -> list[Recording]:
    """The folder's ``manifest.csv`` (columns path, corpus, split, perhaps speaker and label), or else all audio in it.

    Without a manifest a first-level subfolder counts as a corpus, and every twentieth file is for validation (of fewer
    files, the last).

    Raises:
        AudioError: no such folder, fewer than two audio files in it, or a manifest without the needed columns.
    """
    if not folder.is_dir():
        raise AudioError(f"{folder}: no such folder; set data.folder or VQAUDIO_DATA to a folder of recordings")
    if (folder / "manifest.csv").is_file():
        return _read_manifest(folder / "manifest.csv")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    paths = [path for path in paths if not path.name.startswith(".")]
    if len(paths) < 2:
        raise AudioError(
            f"{folder}: holds {len(paths)} audio files, expected two or more (the last is for validation); put WAV or "
            "FLAC files there"
        )
    every = min(20, len(paths))
    found = []
    for index, path in enumerate(paths):
        parts = path.relative_to(folder).parts
        corpus = parts[0] if len(parts) > 1 else "audio"
        found.append(Recording(path, corpus, "valid" if index % every == every - 1 else "train"))
    return found


def _read_manifest(manifest: Path) -> list[Recording]:
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"path", "corpus", "split"} <= set(rows[0]):
        raise AudioError(f"{manifest}: expected rows with the columns path, corpus and split")
    for line, row in enumerate(rows, start=2):
        if not (row["path"] and row["corpus"] and row["split"]):
            raise AudioError(f"{manifest}: row {line} lacks a path, corpus or split; complete or remove it")
    return [
        Recording(
            manifest.parent / row["path"], row["corpus"], row["split"], row.get("speaker", ""), row.get("label", "")
        )
        for row in rows
    ]
