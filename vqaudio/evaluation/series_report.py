"""Evaluated tables as Markdown, as JSON, and as pictures of decoded columns over their originals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vqaudio.evaluation import peers_report, require
from vqaudio.evaluation.series_scores import ColumnScore, SizeScore, TableEvaluation
from vqaudio.evaluation.writing import markdown
from vqaudio.files import atomic_write

MOST_PANELS = 8
MOST_ROWS = 500
"""More rows than that would make a band of ink: those from the middle are drawn."""
INK, ACCENT = "#8a8f98", "#0d9488"  # readable on white and on black
SAMPLE_BYTES = 2


# --------------------------------------------------------------------------------------------------------------- table


def table(evaluation: TableEvaluation) -> str:
    """Sizes, then errors of each column, in Markdown."""
    heading = (
        f"## {evaluation.name}\n\n{evaluation.n_rows:,} rows of {evaluation.n_columns} columns, of which "
        f"{len(evaluation.columns)} are compared; {evaluation.n_bytes:,} bytes as a file"
    )
    sizes = markdown(
        ["stored by", "bytes", "file over it", "16-bit over it", "bits a value", "RMSE/bound", "max/bound"],
        [_size_row(size, evaluation) for size in evaluation.sizes],
    )
    columns = markdown(
        ["column", "bound", "max error", "RMSE", "PRDN (%)", "chunks × predictor"],
        [_column_row(column) for column in evaluation.columns],
    )
    total = sum((column.predictors for column in evaluation.columns), Counter[str]())
    used = f"Chunks of columns × predictors: {_counts(total)}."
    note = "All but vqaudio and PCA hold the integers of the compared columns, without names, clocks and gaps."
    about = "PRDN: 100 · sqrt(Σ(x − y)² / Σ(x − mean x)²)."
    compared = [peers_report.table(evaluation.comparison)] if evaluation.comparison else []
    return "\n\n".join([heading, sizes, *compared, *evaluation.notes, columns, f"{used}\n{about}\n{note}"])


def _size_row(size: SizeScore, evaluation: TableEvaluation) -> list[str]:
    n_bytes = max(1, size.n_bytes)
    return [
        size.name,
        f"{size.n_bytes:,}",
        f"{evaluation.n_bytes / n_bytes:.2f}",
        f"{SAMPLE_BYTES * evaluation.n_values / n_bytes:.2f}",
        f"{8 * size.n_bytes / evaluation.n_values:.3f}",
        f"{size.rms_share:.3f}",
        f"{size.max_share:.3f}",
    ]


def _column_row(column: ColumnScore) -> list[str]:
    prdn = "-" if math.isnan(column.prdn) else f"{column.prdn:.3f}"
    figures = [f"{value:.4g}" for value in (column.bound, column.max_error, column.rmse)]
    return [column.name.replace("|", "\\|"), *figures, prdn, _counts(column.predictors)]


def _counts(counts: Counter[str]) -> str:
    return "; ".join(f"{count} × {name}" for name, count in counts.most_common())


# ---------------------------------------------------------------------------------------------------------------- JSON


def as_data(evaluation: TableEvaluation) -> dict[str, Any]:
    """All figures as JSON can hold them; what is undefined is null."""
    return {
        "file": evaluation.name,
        "rows": evaluation.n_rows,
        "file_bytes": evaluation.n_bytes,
        "values": evaluation.n_values,
        "stored": [
            {"name": size.name, "bytes": size.n_bytes, "rms_share": size.rms_share, "max_share": size.max_share}
            for size in evaluation.sizes
        ],
        "columns": [
            {
                "name": column.name,
                "bound": column.bound,
                "max_error": column.max_error,
                "rmse": column.rmse,
                "prdn": None if math.isnan(column.prdn) else column.prdn,
                "predictors": dict(column.predictors),
            }
            for column in evaluation.columns
        ],
        "peers": peers_report.as_data(evaluation.comparison) if evaluation.comparison else None,
        "notes": evaluation.notes,
    }


# ---------------------------------------------------------------------------------------------------------------- plot


def plot(columns: Sequence[tuple[str, ColumnScore]], path: Path) -> None:
    """Write what :func:`drawn` draws as a PNG.

    Raises:
        EvaluationError: matplotlib is missing. FileError: the file cannot be written.
    """
    figure = drawn(columns)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def drawn(columns: Sequence[tuple[str, ColumnScore]]) -> Any:
    """A figure with a panel for each of the first eight columns: decoded over original, and the residual below.

    Raises:
        EvaluationError: matplotlib is missing.
    """
    panels = columns[:MOST_PANELS]
    width = 1 if len(panels) == 1 else 2
    height = -(-len(panels) // width)
    figure = require("matplotlib.figure").Figure(figsize=(10, 0.4 + 2.6 * height), layout="constrained")
    outer = figure.add_gridspec(height, width)
    for at, (title, column) in enumerate(panels):
        inner = outer[at // width, at % width].subgridspec(2, 1, height_ratios=(3, 1), hspace=0.05)
        upper = figure.add_subplot(inner[0])
        _panel(upper, figure.add_subplot(inner[1], sharex=upper), title, column)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, labelcolor=INK)
    return figure


def _panel(upper: Any, lower: Any, title: str, column: ColumnScore) -> None:
    """One column's curves on two axes, one above the other."""
    n_rows = len(column.original)
    start = max(0, (n_rows - MOST_ROWS) // 2)
    rows = np.arange(start, min(n_rows, start + MOST_ROWS))
    original, decoded = column.original[rows], column.decoded[rows]
    upper.plot(rows + 1, original, color=INK, linewidth=2.5, alpha=0.6, label="original")
    upper.plot(rows + 1, decoded, color=ACCENT, linewidth=0.9, label="decoded")
    lower.plot(rows + 1, decoded - original, color=ACCENT, linewidth=0.6)
    for bound in {-column.bound, column.bound}:
        lower.axhline(bound, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    upper.set_title(
        title if len(rows) == n_rows else f"{title}: {len(rows):,} of {n_rows:,} rows", fontsize=10, color=INK
    )
    upper.tick_params(labelbottom=False)
    lower.set_ylabel("residual", fontsize=8, color=INK)
    for axes in (upper, lower):
        axes.tick_params(colors=INK, labelsize=8, length=3)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(INK)
