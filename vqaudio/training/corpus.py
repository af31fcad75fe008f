"""Recordings in memory as 16-bit integers, and on disk for the next run: reading thousands of files takes minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.files import atomic_write
from vqaudio.resampling import read_mono

Sound = NDArray[np.int16]


def to_int16(sound: NDArray[np.float32]) -> Sound:
    """Full scale 1.0 to 32767, rounded and clipped: half the memory of float32."""
    rounded: Sound = (np.clip(sound, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    return rounded


def read_all(paths: Sequence[Path], sample_rate: int, cache: Path | None = None, progress: str = "") -> list[Sound]:
    """The recordings as int16 ``(samples,)`` at ``sample_rate`` (Hz), mono, in the order of ``paths``.

    With a folder ``cache`` they are kept there, as one array for this very list of files (names, sizes and times), and
    mapped into memory from there, 115 MB an hour at 16 kHz. ``progress`` is the title of a bar; none: no bar.

    Raises:
        FileError, AudioError: a file cannot be read, or the cache not be written.
    """
    if cache is None:
        return _read(paths, sample_rate, progress)
    name = _digest(paths, sample_rate)
    samples, ends = cache / f"{name}.npy", cache / f"{name}-ends.npy"
    if not ends.is_file():
        sounds = _read(paths, sample_rate, progress)
        cache.mkdir(parents=True, exist_ok=True)
        with atomic_write(samples) as file:
            np.save(file, np.concatenate([np.zeros(0, np.int16), *sounds]))
        with atomic_write(ends) as file:  # last: whoever finds it finds both
            np.save(file, np.cumsum([0, *(len(sound) for sound in sounds)]))
    mapped, cuts = np.load(samples, mmap_mode="r"), np.load(ends)
    return [mapped[first:last] for first, last in pairwise(cuts)]


def _read(paths: Sequence[Path], sample_rate: int, progress: str) -> list[Sound]:
    bar = tqdm(paths, desc=progress, unit="file", leave=False, disable=not progress)
    return [to_int16(read_mono(path, sample_rate)) for path in bar]


def _digest(paths: Sequence[Path], sample_rate: int) -> str:
    digest = hashlib.sha256(str(sample_rate).encode())
    for path in paths:
        found = path.stat()
        digest.update(f"{path.resolve()} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
