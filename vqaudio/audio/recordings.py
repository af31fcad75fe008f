"""Which recordings a folder holds: one rule for training, evaluation, tokens, the demo and the recipes.

**With a manifest.** ``manifest.csv`` in the folder is a CSV file in UTF-8 whose first row names its columns:

=========== ============================================================================================
``path``    of a recording, absolute or relative to the manifest
``split``   ``train``, ``valid``, or another name for what training leaves alone, such as ``test``
``corpus``  what it belongs to; without it the first folder of ``path``, or ``audio`` where that has none
``speaker`` who speaks; may be empty or left out, as may the following
``label``   what is said
``seconds`` how long it is
=========== ============================================================================================

Only ``path`` and ``split`` must be there, in every row. Other columns are ignored, and so is every file that the
manifest does not name. That a file is missing is said when it is read.

**Without one**, recordings are all files below the folder (:func:`vqaudio.files.files_below`) whose names end as audio
does (:data:`vqaudio.audio.file_source.SUFFIXES`), in the order of their paths. The first folder on the way is the
corpus (``audio`` for files in none), every twentieth file is for validation, and of fewer files the last. Evaluation,
which has no use for files to learn from, takes all of them.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from vqaudio.audio.file_source import SUFFIXES
from vqaudio.errors import AudioError
from vqaudio.files import files_below

MANIFEST = "manifest.csv"
NEEDED = ("path", "split")
COLUMNS = ("path", "corpus", "speaker", "label", "split", "seconds")
NO_CORPUS = "audio"
"""The corpus of recordings in no folder."""
VALID_EVERY = 20


@dataclass(frozen=True)
class Recording:
    """One file: where it is, what it belongs to, which split it is in; who speaks, what and how long, where known."""

    path: Path
    corpus: str
    split: str
    speaker: str = ""
    label: str = ""
    seconds: float | None = None


def data_folder(configured: str | None = None) -> Path:
    """The folder of recordings: the configured one, else ``$VQAUDIO_DATA/speech``, else ``../shared/data/speech``."""
    if configured is not None:
        return Path(configured)
    return Path(os.environ.get("VQAUDIO_DATA", "../shared/data")) / "speech"


def list_recordings(folder: Path) -> list[Recording]:
    """The recordings of a folder, by its manifest or else all of them, each in a split.

    Raises:
        AudioError: no such folder, a manifest that :func:`read_manifest` refuses, or without one fewer than two files.
    """
    return list(each_recording(folder))


def each_recording(folder: Path) -> Iterator[Recording]:
    """What :func:`list_recordings` lists, read as it goes: there may be more than memory holds.

    Raises:
        AudioError: as there.
    """
    if not folder.is_dir():
        raise AudioError(f"{folder}: no such folder; set data.folder or VQAUDIO_DATA to a folder of recordings")
    if has_manifest(folder):
        return _rows_of(folder / MANIFEST)
    return iter(_files_in(folder))


def _files_in(folder: Path) -> list[Recording]:
    paths = files_below(folder, SUFFIXES)
    if len(paths) < 2:
        raise AudioError(
            f"{folder}: holds {len(paths)} audio files, expected two or more (the last is for validation); put WAV or "
            "FLAC files there"
        )
    every = min(VALID_EVERY, len(paths))
    return [
        Recording(path, corpus_of(path.relative_to(folder)), "valid" if index % every == every - 1 else "train")
        for index, path in enumerate(paths)
    ]


def has_manifest(folder: Path) -> bool:
    """Whether a folder's recordings are listed."""
    return (folder / MANIFEST).is_file()


def read_manifest(manifest: Path) -> list[Recording]:
    """The recordings that a manifest lists, in its order.

    Raises:
        AudioError: it is no CSV in UTF-8, lacks rows or a needed column, or a row lacks a value or has a bad one.
    """
    return list(_rows_of(manifest))


def _rows_of(manifest: Path) -> Iterator[Recording]:
    expected = AudioError(f"{manifest}: expected rows with the columns {' and '.join(NEEDED)}")
    line = 1
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not set(NEEDED) <= set(rows.fieldnames or ()):
                raise expected
            for line, row in enumerate(rows, start=2):
                yield _recording(row, f"{manifest}: row {line}", manifest.parent)
    except (UnicodeDecodeError, csv.Error) as error:
        raise AudioError(f"{manifest}: is no CSV file in UTF-8 ({error}); save it as one") from None
    if line == 1:
        raise expected


def _recording(row: dict[str, str | None], where: str, folder: Path) -> Recording:
    path, split = row["path"], row["split"]
    if not (path and split):
        raise AudioError(f"{where} lacks a path or split; complete or remove it")
    length = row.get("seconds") or ""
    try:
        seconds = float(length) if length else None
    except ValueError:
        raise AudioError(f"{where} says {length} in the column seconds, expected a number") from None
    corpus = row.get("corpus") or corpus_of(PurePath(path))
    return Recording(folder / path, corpus, split, row.get("speaker") or "", row.get("label") or "", seconds)


def corpus_of(path: PurePath) -> str:
    """The corpus of a recording of which nothing else says it: the first folder of a relative path, if it has one."""
    return path.parts[0] if len(path.parts) > 1 and not path.is_absolute() else NO_CORPUS


def manifest_of(recordings: Iterable[Recording], folder: Path, *, columns: Sequence[str] = COLUMNS) -> str:
    """The text of a manifest in ``folder``: paths below it become relative, seconds have three decimals."""
    text = io.StringIO()
    rows = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for item in recordings:
        path = item.path.relative_to(folder) if item.path.is_relative_to(folder) else item.path
        seconds = "" if item.seconds is None else f"{item.seconds:.3f}"
        rows.writerow(vars(item) | {"path": path.as_posix(), "seconds": seconds})
    return text.getvalue()
