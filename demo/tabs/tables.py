"""A table of numbers through the codec: decoded curves over their originals, and what the table costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from demo import facts, inputs, outputs, pictures, tables, work
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.packers import PACKERS
from vqaudio.evaluation.series import RoundTrip, round_trip
from vqaudio.evaluation.series_report import drawn
from vqaudio.series import SUFFIXES, MaxError, mixes

TITLE = "Tables"
NAME = "tables"
LEAST, MOST = 0.1, 10.0
"""Percent of a column's range that the slider offers."""


def build(page: inputs.Page) -> None:
    """Lay out the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            table = gr.File(
                label=f"Table, up to {tables.MAX_CELLS:,} cells", file_types=[*SUFFIXES], type="filepath", height=140
            )
            chips = gr.Dataset(
                components=["textbox"],
                samples=[[name] for name in tables.examples()],
                type="index",
                label="or pick one of these",
            )
        with gr.Column(scale=3, min_width=300):
            percent = gr.Slider(
                LEAST, MOST, 1, step=0.1, label="No value further off than so many percent of its range", buttons=[]
            )
            lossless = gr.Checkbox(label="Lossless: keep every value and all text as they are")
            stop = inputs.stop_button()
    figures = facts.tiles("Facts")
    curves = pictures.place("Decoded over original, and the residual within its bound")
    with gr.Row():
        packed = gr.DownloadButton("Download the .vq file", visible=False)
        decoded = gr.DownloadButton("Download the decoded CSV", visible=False)

    results = [curves, figures, packed, decoded]
    chips.click(tables.example, chips, table, queue=False, **inputs.QUIET)
    page.opened.change(_first, [page.opened, table], table, queue=False, **inputs.QUIET)
    lossless.change(lambda exact: gr.Slider(interactive=not exact), lossless, percent, queue=False, **inputs.QUIET)
    changes = [table.change, percent.release, lossless.change]
    inputs.stoppable(stop, "series", changes, series, [table, percent, lossless], results, empty=_nothing())
    _build_opener()


def _build_opener() -> None:
    """Lay out what opens a ``.vq`` file."""
    gr.Markdown("### Open a `.vq` file with a table", elem_classes="section")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            file = gr.File(label=".vq file with a table", file_types=[".vq"], type="filepath", height=140)
        with gr.Column(min_width=280):
            table = gr.DownloadButton("Download the table", visible=False)
            stop = inputs.stop_button()
    figures = facts.tiles("Facts")
    nothing = ([], gr.update(visible=False))
    inputs.stoppable(stop, "table", [file.change], open_table, [file], [figures, table], empty=nothing)


def _first(opened: str, table: str | None) -> str | object:
    """An example, where the tab is opened and there is no table yet."""
    return tables.example(0) if opened == NAME and table is None else gr.skip()


def _nothing() -> tuple[str, list[facts.Fact], dict[str, Any], dict[str, Any]]:
    return "", [], gr.update(visible=False), gr.update(visible=False)


# ------------------------------------------------------------------------------------------------------------ handlers


@work.reports_errors
def series(
    table: str | None, percent: float, lossless: bool, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[str, list[facts.Fact], dict[str, Any], dict[str, Any]]:
    """Compress a table and show what came of it."""
    if table is None:
        return _nothing()
    with work.Job("series", request, progress) as job:
        made = packed(table, percent, lossless, job)
        job.step(0.9, "drawing")
        columns = [(column.name, column) for column in made.coded.columns]
        said = (
            f"Curves of {len(columns)} columns, decoded over original: {made.facts[-1]['figure']} is the largest error"
        )
        curves = pictures.svg_of(drawn(columns), "Decoded over original, and the residual within its bound", said)
        packed_file, decoded_file = (gr.update(value=path, visible=True) for path in (made.packed, made.decoded))
        return curves, made.facts, packed_file, decoded_file


@dataclass(frozen=True)
class Packed:
    """A table as a ``.vq`` file, and decoded again as CSV: what came of it, and the paths of both files."""

    coded: RoundTrip
    facts: list[facts.Fact]
    packed: str
    decoded: str


def packed(table: str | None, percent: float, lossless: bool, job: work.Job) -> Packed:
    """Compress a table within a bound, in percent of each column's range, or exactly, and decode it again.

    Raises:
        VqaudioError: there is no table, it cannot be read, or the bound is out of range. StoppedError: it was stopped.
    """
    if not lossless and not LEAST <= percent <= MOST:
        raise VqaudioError(f"{percent:g} % asked for: expected {LEAST:g} to {MOST:g}, or lossless")
    job.step(0.0, "reading the table")
    original = tables.read(table)
    path = Path(str(table))
    max_error = None if lossless else MaxError(percent / 100, relative=True)
    report = job.part(0.05, 0.7, max(1, original.n_rows), "compressing")
    coded = round_trip(original, max_error, name=path.name, mixing=mixes(original.n_cells), progress=report)
    job.step(0.7, "packing with others")
    folder = outputs.new_folder()
    file = folder / f"{path.stem}.vq"
    file.write_bytes(coded.data)
    decoded = tables.write(coded.decoded, folder / f"{path.stem}-decoded.csv", suffix=".csv")
    return Packed(coded, costs(coded, path.stat().st_size), str(file), decoded)


def costs(coded: RoundTrip, file_bytes: int) -> list[facts.Fact]:
    """The size of a ``.vq`` file beside those of the table, and of the same numbers packed by others."""
    n_bytes, table = len(coded.data), coded.decoded
    largest = max(column.max_error / column.bound if column.bound else 0.0 for column in coded.columns)
    found = [
        facts.fact("this .vq file", f"{n_bytes:,} bytes", f"{8 * n_bytes / table.n_cells:.2f} bits a cell"),
        facts.fact("the table", f"{file_bytes:,} bytes", f"{file_bytes / n_bytes:.1f} times as large"),
    ]
    for name in ("gzip", "zstd"):
        size = len(PACKERS[name](coded.integers))
        found.append(facts.fact(name, f"{size:,} bytes", f"{size / n_bytes:.2f} times as large: equal numbers alone"))
    error = f"{largest:.0%} of the bound" if largest else "none"
    found.append(facts.fact("largest error", error, f"in {len(coded.columns)} columns, {table.n_rows:,} rows"))
    return found


@work.reports_errors
def open_table(
    vq_file: str | None, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[list[facts.Fact], dict[str, Any]]:
    """The table in a .vq file, to take away."""
    if vq_file is None:
        return [], gr.update(visible=False)
    with work.Job("table", request, progress) as job:
        path, found = unpacked(vq_file, job)
        return found, gr.update(value=path, visible=True)


def unpacked(vq_file: str | None, job: work.Job) -> tuple[str, list[facts.Fact]]:
    """The table in a .vq file, in the format that it comes from; rows that are damaged are gaps and are reported.

    Raises:
        VqaudioError: there is no file, or none with a table. StoppedError: it was stopped.
    """
    job.step(0.0, "reading the file")
    stored = tables.read_stored(vq_file)
    table = stored.table(job.part(0.1, 0.8, max(1, stored.n_rows), "decoding"))
    job.step(0.8, "writing the table")
    name = Path(stored.name)
    path = outputs.new_folder() / f"{name.stem}{stored.suffix}"
    size = Path(str(vq_file)).stat().st_size
    written = tables.write(table, path, suffix=stored.suffix)
    found = [
        facts.fact("file", f"{size:,} bytes", f"as {stored.suffix}: {path.stat().st_size:,} bytes"),
        facts.fact("table", f"{table.n_rows:,} rows", ", ".join(column.name for column in table.columns)),
    ]
    if stored.damage:
        said = "; ".join(map(str, stored.damage))
        gr.Warning(f"{name} is damaged: {said}", title="Part of it is gaps")
        found.append(facts.fact("damage", f"{len(stored.damage)} found", said))
    return written, found
