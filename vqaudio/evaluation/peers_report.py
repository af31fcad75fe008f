"""A table's file beside other compressors, as Markdown, as JSON and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vqaudio.evaluation import require
from vqaudio.evaluation.series_scores import PeerComparison, PeerScore
from vqaudio.evaluation.writing import markdown
from vqaudio.files import atomic_write

INK, ACCENT = "#8a8f98", "#0d9488"  # readable on white and on black
WRONG = "exceeds the bound"


def table(comparison: PeerComparison) -> str:
    """All of them in Markdown, and below what each of them holds."""
    rows = [_row(score, comparison) for score in (comparison.ours, *comparison.others)]
    heads = ["codec", "bytes", "with the rest", "ours over it", "max/bound", "pack, s", "unpack, s", ""]
    return markdown(heads, rows) + "\n\n" + _note(comparison)


def _row(score: PeerScore, comparison: PeerComparison) -> list[str]:
    whole = comparison.whole(score)
    return [
        score.name,
        f"{score.n_bytes:,}",
        f"{whole:,}",
        f"{comparison.ours.n_bytes / max(1, whole):.3f}",
        "-" if score is comparison.ours else f"{score.max_share:.3f}",
        f"{score.pack_seconds:.4f}",
        f"{score.unpack_seconds:.4f}",
        "" if score.keeps_bounds else WRONG,
    ]


def _note(comparison: PeerComparison) -> str:
    rest = f"{comparison.rest} takes {comparison.rest_bytes:,} bytes by zstd" if comparison.rest else "there is none"
    lines = [
        "vqaudio is the whole file: numbers, clocks, texts, gaps, names, how cells are written. The others hold the "
        "values of columns of numbers and clocks alone, at the same bounds, each column in the form and by the setting "
        f"of which they make the least; *the rest*: {rest}. Names, types and how cells are written no other has. "
        "Seconds are those that a processor worked for the settings that were kept; ours include the check of the file."
    ]
    lines += [
        f"{score.name} does not take {', '.join(score.replaced)}: zstd holds them."
        for score in comparison.others
        if score.replaced
    ]
    return "\n".join(lines)


def as_data(comparison: PeerComparison) -> dict[str, Any]:
    """All figures as JSON can hold them."""
    return {
        "values": comparison.n_values,
        "rest": comparison.rest,
        "rest_bytes": comparison.rest_bytes,
        "codecs": [asdict(score) for score in (comparison.ours, *comparison.others)],
    }


def plot(comparisons: Sequence[tuple[str, PeerComparison]], path: Path) -> None:
    """Write a PNG: a panel for each table, with its title; bars of bytes, and seconds each way beside them.

    Raises:
        EvaluationError: matplotlib is missing, or there is nothing to draw. FileError: the file cannot be written.
    """
    height = max(1, len(comparisons))
    figure = require("matplotlib.figure").Figure(figsize=(10, 0.4 + 2.6 * height), layout="constrained")
    axes = figure.subplots(height, 2, squeeze=False)
    for (title, comparison), (left, right) in zip(comparisons, axes, strict=False):
        _panel(left, right, title, comparison)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _panel(left: Any, right: Any, title: str, comparison: PeerComparison) -> None:
    """Sizes on the left, speeds on the right."""
    scores = [comparison.ours, *comparison.others]
    places = range(len(scores))
    colors = [ACCENT if score is comparison.ours else INK for score in scores]
    names = [score.name if score.keeps_bounds else f"{score.name}, {WRONG}" for score in scores]
    left.barh(places, [comparison.whole(score) for score in scores], color=colors)
    left.set_title(title, fontsize=10, color=INK)
    left.set_xlabel("bytes", fontsize=8, color=INK)
    for values, marker, label in (
        ([score.pack_seconds for score in scores], "o", "pack"),
        ([score.unpack_seconds for score in scores], "D", "unpack"),
    ):
        speeds = [comparison.n_values / max(one, 1e-9) for one in values]
        right.scatter(speeds, places, c=colors, marker=marker, s=24, label=label)
    right.set_xscale("log")
    right.set_xlabel("values a second", fontsize=8, color=INK)
    right.legend(fontsize=8, frameon=False, labelcolor=INK)
    left.set_yticks(places, names)
    right.set_yticks(places, [""] * len(scores))
    for one in (left, right):
        one.invert_yaxis()
        one.tick_params(colors=INK, labelsize=8, length=3)
        for side, spine in one.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(INK)
