"""Which recordings are evaluated, and each of them as the mono reference that every codec gets."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vqaudio.audio.file_source import SUFFIXES, FileSource
from vqaudio.evaluation import EvaluationError

Split = Literal["valid", "train", "test", "all"]
SPLITS = get_args(Split)


@dataclass(frozen=True)
class Selection:
    """The clips to evaluate: ``paths`` in order, and how many more there were but for their length."""

    folder: Path
    paths: tuple[Path, ...]
    too_short: int

    def name(self, path: Path) -> str:
        """What reports call a clip."""
        return path.relative_to(self.folder).as_posix()


def select(folder: Path, split: Split | None = None, limit: int | None = None, min_seconds: float = 0.0) -> Selection:
    """Choose clips of at least ``min_seconds`` below ``folder``; ``limit`` keeps that many, evenly spread over them.

    Where ``folder/manifest.csv`` has the columns ``path`` and ``split``, it lists the recordings and ``split`` chooses
    among them (default: valid). Otherwise every file with a suffix that libsndfile knows is taken.

    Raises:
        EvaluationError: no such folder, no clips in it, or a split asked for where no manifest tells of any.
        AudioError: a file that cannot be read.
    """
    if not folder.is_dir():
        raise EvaluationError(f"{folder}: no such folder; name a folder of recordings")
    paths = _listed(folder, split or "valid")
    if paths is None:
        if split not in (None, "all"):
            raise EvaluationError(
                f"{folder}: has no manifest.csv with the columns path and split, so --split {split} chooses nothing; "
                "leave --split out to take every file"
            )
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise EvaluationError(
            f"{folder}: holds no recordings to evaluate; add WAV or FLAC files or choose another split"
        )
    kept = [path for path in paths if _seconds(path) >= min_seconds]
    if not kept:
        raise EvaluationError(
            f"{folder}: all {len(paths)} recordings are shorter than {min_seconds:g} s; lower --min-seconds"
        )
    too_short = len(paths) - len(kept)
    if limit is not None and limit < len(kept):
        kept = [kept[index * len(kept) // limit] for index in range(limit)]
    return Selection(folder, tuple(kept), too_short)


def _listed(folder: Path, split: Split) -> list[Path] | None:
    """The manifest's files of a split, or None where there is no manifest that tells of splits."""
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return None
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"path", "split"} <= set(rows.fieldnames or ()):
            return None
        return sorted(folder / row["path"] for row in rows if split in ("all", row["split"]))


def _seconds(path: Path) -> float:
    with FileSource(path) as source:
        return source.n_samples / source.sample_rate
