"""How reports are written: tables in Markdown, pages from templates, JSON; each file is whole or not there at all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from vqaudio.evaluation import require
from vqaudio.files import atomic_write


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return "| " + " | ".join([first.strip().ljust(widths[0]), *others]) + " |"

    rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def number(value: float | None, decimals: int) -> str:
    """A cell of a table; nothing for None and NaN."""
    return "" if is_missing(value) else f"{value:.{decimals}f}"


def share(value: float | None, decimals: int = 0) -> str:
    """The same in per cent."""
    return "" if is_missing(value) else f"{value:.{decimals}%}"


def is_missing(value: Any) -> bool:
    """Whether there is no number where one could be: None, or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def render(template: Path, *, filters: Mapping[str, Callable[..., str]] | None = None, **facts: Any) -> str:
    """A Jinja template filled in; it may use the filters ``number`` and ``share``, and those given.

    What goes into HTML (``NAME.html.jinja``) is escaped. A fact that the template names must be given.

    Raises:
        EvaluationError: jinja2 is missing.
    """
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        autoescape=".html" in template.suffixes, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": number, "share": share, **(filters or {})}
    text: str = environment.from_string(template.read_text(encoding="utf-8")).render(**facts)
    return text


def write_text(path: Path, text: str) -> None:
    """Write a page; it ends with a line feed.

    Raises:
        FileError: it cannot be written.
    """
    with atomic_write(path) as file:
        file.write(text.rstrip("\n").encode() + b"\n")


def write_json(path: Path, data: Any, *, decimals: int | None = None) -> None:
    """Write figures, dataclasses among them as their fields: NaN becomes null, floats may be rounded to ``decimals``.

    Raises:
        FileError: it cannot be written.
    """
    write_text(path, json.dumps(_plain(data, decimals), indent=1, allow_nan=False))


def _plain(data: Any, decimals: int | None) -> Any:
    if is_dataclass(data) and not isinstance(data, type):
        data = asdict(data)
    if isinstance(data, Mapping):
        return {str(key): _plain(value, decimals) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value, decimals) for value in data]
    if isinstance(data, float):
        return None if math.isnan(data) else float(data) if decimals is None else round(float(data), decimals)
    return data
