"""An evaluation as a Markdown table, as JSON, and as a rate-quality plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from vqaudio.evaluation import require
from vqaudio.evaluation.metrics import Mean, Metric, Metrics
from vqaudio.evaluation.scoring import CodeUsage, Evaluation, SystemScore, undefined
from vqaudio.evaluation.writing import markdown
from vqaudio.files import atomic_write

COLUMNS = 3
"""Panels of a plot, side by side."""


# ------------------------------------------------------------------------------------------------------------- table


def table(evaluation: Evaluation) -> str:
    """Systems as rows, metrics as ``mean ± half the 95 % interval``, then the usage of our codebooks, in Markdown."""
    metrics = evaluation.metrics
    parts = [markdown(*summary(evaluation))]
    notes = [
        f"{scored.name}: {scored.packet_kbps:.2f} kb/s without the container"
        for scored in evaluation.systems
        if scored.packet_kbps is not None
    ]
    notes += [
        f"{scored.name}: {metrics[name].title} undefined on {count} of {len(scored.clips)} clips (silent, or too short)"
        for scored in evaluation.systems
        for name, count in undefined(scored, metrics).items()
    ]
    if notes:
        parts.append("\n".join(notes))
    if evaluation.usage:
        parts.append(markdown(["codebook", "codes used", "perplexity", "of", "frames"], _usage_rows(evaluation.usage)))
    return "\n\n".join(parts)


def summary(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """The titles of the columns, and a row of cells for each system."""
    header = ["system", "kb/s", *(metric.title for metric in evaluation.metrics.values()), "clips"]
    return header, [_row(scored, evaluation.metrics) for scored in evaluation.systems]


def _row(scored: SystemScore, metrics: Metrics) -> list[str]:
    cells = [_mean_cell(scored.mean(name), metric) for name, metric in metrics.items()]
    return [scored.name, f"{scored.kbps:.2f}", *cells, str(len(scored.clips))]


def cell(value: float, metric: Metric) -> str:
    """A value with the decimals that mean something."""
    return "-" if math.isnan(value) else f"{value:.{metric.decimals}f}"


def _mean_cell(mean: Mean, metric: Metric) -> str:
    text = cell(mean.mean, metric)
    return text if math.isnan(mean.half_width) else f"{text} ± {mean.half_width:.{metric.decimals}f}"


def _usage_rows(usage: list[CodeUsage]) -> list[list[str]]:
    return [
        [str(index), f"{codes.used:.1%}", f"{codes.perplexity:.0f}", str(len(codes.counts)), str(codes.frames)]
        for index, codes in enumerate(usage, start=1)
    ]


# -------------------------------------------------------------------------------------------------------------- JSON


def as_data(evaluation: Evaluation) -> dict[str, Any]:
    """Means and per-file values as JSON can hold them: what is undefined is null, rates are in kb/s."""
    return {
        "metrics": {name: metric.title for name, metric in evaluation.metrics.items()},
        "systems": [_system_data(scored, evaluation.metrics) for scored in evaluation.systems],
        "codebooks": [
            {
                "codebook": index,
                "codebook_size": len(codes.counts),
                "used": codes.used,
                "perplexity": codes.perplexity,
                "frames": codes.frames,
            }
            for index, codes in enumerate(evaluation.usage, start=1)
        ],
    }


def _system_data(scored: SystemScore, metrics: Metrics) -> dict[str, Any]:
    means = {name: scored.mean(name) for name in metrics}
    return {
        "name": scored.name,
        "family": scored.family,
        "kbps": scored.kbps,
        "packet_kbps": scored.packet_kbps,
        "means": {
            name: {"mean": _value(mean.mean), "half_width_95": _value(mean.half_width), "clips": mean.count}
            for name, mean in means.items()
        },
        "files": [
            {
                "file": clip.clip,
                "seconds": clip.seconds,
                "bytes": clip.n_bytes,
                "kbps": clip.kbps,
                **{name: _value(value) for name, value in clip.metrics.items()},
            }
            for clip in scored.clips
        ],
    }


def _value(number: float) -> float | None:
    return None if math.isnan(number) else number


# -------------------------------------------------------------------------------------------------------------- plot


def plot(evaluation: Evaluation, path: Path) -> None:
    """Write a PNG: PESQ-WB, STOI and judges over the rate, a line per family of systems, bars for the 95 % intervals.

    Raises:
        EvaluationError: matplotlib is missing. FileError: the file cannot be written.
    """
    plotted = {name: metric for name, metric in evaluation.metrics.items() if metric.plotted}
    columns = min(COLUMNS, len(plotted))
    rows = -(-len(plotted) // columns)
    figure = require("matplotlib.figure").Figure(figsize=(5 * columns, 4.5 * rows), layout="constrained")
    ticker = require("matplotlib.ticker")
    families: dict[str, list[SystemScore]] = {}
    for scored in sorted(evaluation.systems, key=lambda scored: scored.kbps):
        families.setdefault(scored.family, []).append(scored)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(plotted) :]:
        axes.set_axis_off()
    for axes, (name, metric) in zip(panels, plotted.items(), strict=False):
        for family, members in families.items():
            means = [scored.mean(name) for scored in members]
            axes.errorbar(
                [scored.kbps for scored in members],
                [mean.mean for mean in means],
                yerr=[0.0 if math.isnan(mean.half_width) else mean.half_width for mean in means],
                marker="o",
                capsize=3,
                label=family,
            )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axes.set(xlabel="kb/s (whole files)", ylabel=metric.title)
        axes.grid(alpha=0.3)
    panels[len(plotted) - 1].legend(loc="lower right")
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)
