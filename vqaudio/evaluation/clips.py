"""Which recordings are evaluated, and each of them as the mono reference that every codec gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vqaudio.audio.file_source import SUFFIXES, FileSource
from vqaudio.audio.recordings import MANIFEST, has_manifest, read_manifest
from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.choices import Split
from vqaudio.files import files_below


@dataclass(frozen=True)
class Selection:
    """The clips to evaluate: ``paths`` in order, and how many more there were but for their length."""

    folder: Path
    paths: tuple[Path, ...]
    too_short: int

    def name(self, path: Path) -> str:
        """What reports call a clip."""
        return path.relative_to(self.folder).as_posix()


def select(
    folder: Path, split: Split | None = None, *, limit: int | None = None, min_seconds: float = 0.0
) -> Selection:
    """Choose clips of at least ``min_seconds`` below ``folder``; ``limit`` keeps that many, evenly spread over them.

    Where the folder has a manifest, ``split`` chooses among its recordings (default: valid); otherwise all audio below
    the folder is taken (:mod:`vqaudio.audio.recordings`).

    Raises:
        EvaluationError: no such folder, no clips in it, or a split asked for where there is no manifest.
        AudioError: a manifest or a file that cannot be read.
    """
    if not folder.is_dir():
        raise EvaluationError(f"{folder}: no such folder; name a folder of recordings")
    paths = _of_split(folder, split)
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


def _of_split(folder: Path, split: Split | None) -> list[Path]:
    if has_manifest(folder):
        listed = read_manifest(folder / MANIFEST)
        return sorted(item.path for item in listed if split == "all" or item.split == (split or "valid"))
    if split not in (None, "all"):
        raise EvaluationError(
            f"{folder}: has no {MANIFEST}, so --split {split} chooses nothing; leave --split out to take every file"
        )
    return files_below(folder, SUFFIXES)


def _seconds(path: Path) -> float:
    with FileSource(path) as source:
        return source.n_samples / source.sample_rate
