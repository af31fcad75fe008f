"""Pictures of codebooks: vector graphics in the page's own colours, each with words for whoever does not see it."""

from __future__ import annotations

import html
import io
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from vqaudio.evaluation import require
from vqaudio.evaluation.series_report import ACCENT, INK

COLOURS = {INK: "var(--body-text-color-subdued)", ACCENT: "var(--color-accent)"}
"""What is drawn with becomes the page's colours for pale text and for what stands out."""
SIZE = (5.6, 3.9)  # inches


def place(label: str) -> gr.HTML:
    """A place for a picture."""
    return gr.HTML("", label=label, elem_classes="picture", apply_default_css=False, js_on_load=None)


class Picture:
    """One pair of axes to draw on.

    Raises:
        EvaluationError: matplotlib is missing.
    """

    def __init__(self) -> None:
        self.figure = require("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")
        self.axes: Any = self.figure.add_subplot()
        self.axes.tick_params(colors=INK)
        for side, spine in self.axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(INK)

    def svg(self, title: str, alternative: str) -> str:
        """What was drawn, as markup with a title below and an alternative text."""
        for axis in (self.axes.xaxis, self.axes.yaxis):
            axis.label.set_color(INK)
        return svg_of(self.figure, title, alternative)


def svg_of(figure: Any, title: str, alternative: str) -> str:
    """A figure of matplotlib as markup, with a title below and an alternative text."""
    file = io.StringIO()
    with require("matplotlib").rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True)
    drawn = file.getvalue().partition("<svg")[2]
    for known, colour in COLOURS.items():
        drawn = drawn.replace(known, colour)
    said = html.escape(alternative)
    return f'<figure><svg role="img" aria-label="{said}"{drawn}<figcaption>{html.escape(title)}</figcaption></figure>'


def usage(counts: NDArray[np.int64]) -> str:
    """How often each code was used, the most used first; ``counts``: ``(alphabet,)``."""
    used = np.sort(counts[counts > 0])[::-1]
    picture = Picture()
    axes = picture.axes
    axes.fill_between(np.arange(1, len(used) + 1), used, step="mid", color=ACCENT, linewidth=0)
    axes.set_xlim(0.5, max(len(used), 2) + 0.5)
    axes.set_ylim(bottom=0)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="codes, the most used first", ylabel="times used")
    most = int(used[0]) if len(used) else 0
    said = f"{len(used)} of {len(counts)} codes were used, the most used one {most} times"
    return picture.svg("How often its codes were used", said)


def principal_axes(embeddings: NDArray[np.floating[Any]], counts: NDArray[np.int64]) -> str:
    """A codebook's embeddings ``(alphabet, D)`` along their two principal axes, the used ones larger and coloured."""
    centred = embeddings - embeddings.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    places = centred @ directions[:2].T
    shares = lengths**2 / np.sum(lengths**2)
    used = counts > 0
    picture = Picture()
    axes = picture.axes
    axes.scatter(*places[~used].T, s=6, color=INK, alpha=0.45, linewidths=0)
    sizes = 12.0 + 10.0 * np.log2(counts[used])
    axes.scatter(*places[used].T, s=sizes, color=ACCENT, alpha=0.6, linewidths=0)
    axes.set(xlabel=f"first axis, {shares[0]:.0%} of the variance", ylabel=f"second axis, {shares[1]:.0%}")
    said = f"{len(embeddings)} embeddings along their two principal axes; the {used.sum()} that were used are larger"
    return picture.svg("The codebook's embeddings; larger: used more often", said)
