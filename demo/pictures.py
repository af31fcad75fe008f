"""Pictures of sounds, codes and codebooks, as PNG files that suit a light and a dark page alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo.recordings import Recording
from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import SAMPLE_RATE
from vqaudio.evaluation.page import draw_spectrogram, mel_levels

INK = "#8a8f98"  # readable on white and on black
ACCENT = "#0d9488"
WIDTH = 9.0  # inches, at 100 dots each
SIDE_BY_SIDE = (4.2, 6.0)  # height and width of one of two


def mel_pair(first: Recording, second: Recording, *, folder: Path) -> tuple[str, str]:
    """Mel spectrograms of two sounds on one scale, the first one's."""
    waves = [sound.mono(SAMPLE_RATE) for sound in (first, second)]
    loudest = float(mel_levels(waves[0]).max())
    paths = [folder / "mel-original.png", folder / "mel-decoded.png"]
    for wave, path in zip(waves, paths, strict=True):
        draw_spectrogram(wave, path, loudest=loudest)
    return str(paths[0]), str(paths[1])


def image(label: str, *kinds: str) -> gr.Image:
    """A place for a picture; ``kinds`` are classes of the style sheet."""
    return gr.Image(label=label, interactive=False, buttons=["fullscreen"], elem_classes=list(kinds))


def mel_image(label: str) -> gr.Image:
    """A place for a mel spectrogram."""
    return image(label, "mel")


def token_grid(streams: list[NDArray[np.int32]], alphabet: int, *, seconds: float, path: Path) -> str:
    """The first channel's codes: a row for each codebook, a column for each frame, a colour for each code."""
    longest = max(stream.shape[1] for stream in streams)
    rows = np.stack([np.repeat(part[0], -(-longest // part.shape[1]))[:longest] for part in streams])
    with _axes(path, height=0.55 + 0.22 * len(rows), frame=False) as axes:
        axes.imshow(
            rows,
            aspect="auto",
            cmap="viridis",
            vmin=0,
            vmax=alphabet - 1,
            interpolation="nearest",
            extent=(0, seconds, len(rows) + 0.5, 0.5),
        )
        axes.set_yticks(range(1, len(rows) + 1))
        axes.set(xlabel="seconds", ylabel="codebook")
    return str(path)


def usage(counts: NDArray[np.int64], path: Path) -> str:
    """How often each code was used, the most used first; ``counts``: ``(alphabet,)``."""
    used = np.sort(counts[counts > 0])[::-1]
    with _axes(path, *SIDE_BY_SIDE) as axes:
        axes.fill_between(np.arange(1, len(used) + 1), used, step="mid", color=ACCENT, linewidth=0)
        axes.set_xlim(0.5, max(len(used), 2) + 0.5)
        axes.set_ylim(bottom=0)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel=f"codes by rank: {len(used)} of {len(counts)} were used", ylabel="times used")
    return str(path)


def principal_axes(embeddings: NDArray[np.floating], counts: NDArray[np.int64], *, path: Path) -> str:
    """A codebook's embeddings ``(alphabet, D)`` along their two principal axes, the used ones larger and coloured."""
    centred = embeddings - embeddings.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    places = centred @ directions[:2].T
    shares = lengths**2 / np.sum(lengths**2)
    used = counts > 0
    with _axes(path, *SIDE_BY_SIDE) as axes:
        axes.scatter(*places[~used].T, s=6, color=INK, alpha=0.45, linewidths=0)
        dots = axes.scatter(*places[used].T, s=22, c=np.log2(counts[used]), cmap="cool", vmin=0, linewidths=0)
        bar = axes.figure.colorbar(dots, ax=axes, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(colors=INK, length=0)
        bar.set_label("log2 of times used", color=INK)
        axes.set(xlabel=f"first axis ({shares[0]:.0%} of the variance)", ylabel=f"second axis ({shares[1]:.0%})")
    return str(path)


def bits(per_frame: NDArray[np.floating], flat: float, *, seconds: float, path: Path) -> str:
    """Bits per token over time, a mean of each frame's codebooks; ``flat``: what a token costs without a prior."""
    time = (np.arange(len(per_frame)) + 0.5) * seconds / len(per_frame)
    width = min(len(per_frame), 9)
    smooth = np.convolve(np.pad(per_frame, width // 2, "edge"), np.ones(width) / width, "valid")[: len(per_frame)]
    with _axes(path) as axes:
        axes.plot(time, per_frame, color=ACCENT, alpha=0.35, linewidth=0.8)
        axes.plot(time, smooth, color=ACCENT, linewidth=1.8)
        axes.axhline(flat, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "as plain integers", (seconds, flat), xytext=(0, 3), textcoords="offset points", ha="right", color=INK
        )
        axes.set_xlim(0, seconds)
        axes.set_ylim(0, max(flat * 1.2, float(per_frame.max()) * 1.05))
        axes.set(xlabel="seconds", ylabel="bits per token")
    return str(path)


@contextmanager
def _axes(path: Path, height: float = 2.4, width: float = WIDTH, frame: bool = True) -> Iterator[Any]:
    """Axes to draw on, written to ``path`` at the end, with a transparent background.

    Raises:
        EvaluationError: matplotlib is missing.
    """
    figure = require("matplotlib.figure").Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(colors=INK, length=0 if not frame else 3)
    for side, spine in axes.spines.items():
        spine.set_visible(frame and side in ("left", "bottom"))
        spine.set_color(INK)
    yield axes
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    figure.savefig(path, dpi=100, transparent=True)
