"""A web page to listen to: each clip as it was and through every system, with spectrograms, rates and scores.

The page is a folder: ``index.html``, and for every sound ``NN-MM.flac`` and ``NN-MM.png`` (clip, system).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from vqaudio.errors import FileError
from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Wave, log_mel
from vqaudio.evaluation.options import Prepared
from vqaudio.evaluation.report import cell, summary
from vqaudio.evaluation.scoring import ClipResult, ClipScore, evaluate
from vqaudio.evaluation.writing import render, write_text

TEMPLATE = Path(__file__).with_name("page.html.jinja")
MARK = '<meta name="generator" content="vqaudio listen">'  # by which an earlier page is known
RANGE_DB = 80.0


@dataclass
class Sound:
    """One player: what the system is called, the stem of its two files, and what it cost (None: the original)."""

    system: str
    stem: str
    score: ClipScore | None = None

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Rate, size and scores as they are shown."""
        if self.score is None:
            return []
        scores = [(METRICS[name].title, cell(self.score.metrics[name], METRICS[name])) for name in ("pesq_wb", "stoi")]
        return [("rate", f"{self.score.kbps:.2f} kb/s"), ("size", f"{self.score.n_bytes:,} bytes"), *scores]


@dataclass
class Clip:
    """A recording and its players, the original's first."""

    name: str
    seconds: float
    sounds: list[Sound] = field(default_factory=list)


class Gallery:
    """Gathers clips as they are evaluated, and writes their sounds and pictures into a folder at once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.clips: list[Clip] = []
        self._last: Path | None = None
        self._loudest = 0.0

    def add(self, result: ClipResult) -> None:
        """One clip through one system."""
        if result.path != self._last:
            self._last = result.path
            self._loudest = float(mel_levels(result.clip).max()) if len(result.clip) else 0.0
            self.clips.append(Clip(result.score.clip, result.score.seconds))
            self._keep("original", result.clip, None)
        self._keep(result.system.name, result.coded.decoded, result.score)

    def _keep(self, name: str, wave: Wave, score: ClipScore | None) -> None:
        sounds = self.clips[-1].sounds
        sound = Sound(name, f"{len(self.clips):02}-{len(sounds):02}", score)
        sounds.append(sound)
        soundfile.write(self.folder / f"{sound.stem}.flac", wave, SAMPLE_RATE, "PCM_16")
        draw_spectrogram(wave, self.folder / f"{sound.stem}.png", loudest=self._loudest)


def draw_spectrogram(wave: Wave, path: Path, *, loudest: float) -> None:
    """A picture of 80 mel bands over time: 80 dB below ``loudest`` (dB re full scale) up to the brightest colour.

    Raises:
        EvaluationError: matplotlib is missing.
    """
    figure = require("matplotlib.figure").Figure(figsize=(6.0, 1.6), frameon=False)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    levels = mel_levels(wave).T
    axes.imshow(levels, origin="lower", aspect="auto", cmap="magma", vmin=loudest - RANGE_DB, vmax=loudest)
    figure.savefig(path, format="png", dpi=100)


def mel_levels(wave: Wave) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """``(samples,)`` at 16 kHz to ``(frames, bands)`` in dB re full scale; one frame for what is shorter than that."""
    padded = np.pad(wave, (0, max(0, 1024 - len(wave))))
    return 20.0 * log_mel(padded)


def write_page(folder: Path, prepared: Prepared, *, progress: bool = True) -> None:
    """Run every clip through every system and write the page into an empty ``folder``.

    Raises:
        VqaudioError: a clip cannot be read, a system cannot run, or a package is missing.
    """
    gallery = Gallery(folder)
    result = evaluate(prepared.selection, prepared.systems, progress=progress, keep=gallery.add)
    header, rows = summary(result)
    page = render(
        TEMPLATE,
        codec=prepared.codec,
        clips=gallery.clips,
        header=header,
        rows=rows,
        range_db=RANGE_DB,
        mark=MARK,
    )
    write_text(folder / "index.html", page)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to write a page into, which takes its place at ``path`` only when the ``with`` block ends well.

    Raises:
        FileError: ``path`` is a file or a folder with anything else than an earlier page, or cannot be written beside.
    """
    if path.exists() and not (path.is_dir() and (_is_page(path) or not any(path.iterdir()))):
        raise FileError(f"{path}: is there already and is no earlier page; name a new folder")
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".vqaudio-", dir=path.absolute().parent))
    except OSError as error:
        raise FileError(f"{path}: cannot be made ({error.strerror}); name a folder in one that you may write") from None
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp's folders are for their owner alone
        if path.exists():
            old = temporary.with_name(temporary.name + "-old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _is_page(folder: Path) -> bool:
    index = folder / "index.html"
    return index.is_file() and MARK in index.read_text(encoding="utf-8", errors="replace")[:2000]
