"""Published figures stand in one place, and pages get their tables from there.

    python -m recipes.figures --write     # pages follow the figures
    python -m recipes.figures --check     # fails where one does not

Figures are JSON: ``vqaudio/models/NAME.figures.json`` beside a model, the same in ``legacy/``, and
``benchmarks/benchmarks.figures.json``. Each file has sets of figures, whose rows say which command gave them, and
views, which are sets with fewer columns or rows. A page (any Markdown file) has a table between two lines::

    <!-- figures: NAME SET-OR-VIEW -->
    <!-- end of figures -->
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recipes.stages import RECIPES
from vqaudio.cli import command
from vqaudio.errors import FileError
from vqaudio.evaluation.writing import markdown
from vqaudio.files import atomic_write

ROOT = RECIPES.parent
SUFFIX = ".figures.json"
PAGES = ("README.md", "benchmarks", "docs", "legacy", "recipes", "vqaudio/models")
TABLE = re.compile(r"(<!-- figures: (\S+) (\S+) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)

Cell = str | float | tuple[float, float] | tuple[float, float, float] | None
"""A word; a number; a mean and half its 95 % interval; a mean and the ends of its interval; nothing."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """How figures of one kind are written."""

    title: str
    decimals: int = 0
    unit: str = ""
    separators: bool = False

    def shown(self, cell: Cell) -> str:
        """A cell of a table."""
        match cell:
            case None:
                return ""
            case str():
                return cell
            case (mean, half):
                return f"{self._number(mean)} ± {self._number(half)}{self.unit}"
            case (mean, low, high):
                return f"{self._number(mean)}{self.unit} ({self._number(low)} to {self._number(high)})"
            case _:
                return self._number(cell) + self.unit

    def _number(self, value: float) -> str:
        return f"{value:{',' if self.separators else ''}.{self.decimals}f}"


class Row(_Strict):
    """What was measured of one thing, by which of the set's commands."""

    name: str
    command: int = 0
    values: dict[str, Cell]


class FigureSet(_Strict):
    """Rows of figures; ``title`` is that of the column with their names."""

    commands: list[str] = Field(min_length=1)
    title: str = ""
    columns: dict[str, Column]
    rows: list[Row] = Field(min_length=1)


class View(_Strict):
    """Some columns and rows of a set, all where none are named."""

    of: str
    columns: list[str] | None = None
    rows: list[str] | None = None


class Figures(_Strict):
    """One file: sets by name, and views of them by other names."""

    sets: dict[str, FigureSet]
    views: dict[str, View] = {}

    def table(self, name: str) -> str:
        """A set or a view as a Markdown table.

        Raises:
            KeyError: there is none of that name, or it lacks a column or row that is asked for.
        """
        view = self.views.get(name) or View(of=name)
        found = self.sets[view.of]
        columns = [(key, found.columns[key]) for key in view.columns or found.columns]
        by_name = {row.name: row for row in found.rows}
        chosen = [by_name[row] for row in view.rows or by_name]
        cells = [[row.name, *(column.shown(row.values.get(key)) for key, column in columns)] for row in chosen]
        return markdown([found.title, *(column.title for _, column in columns)], cells)


def all_figures() -> dict[str, Figures]:
    """What is published, by the names of the files.

    Raises:
        FileError: a file is not as it should be.
    """
    found = {}
    for folder in ("vqaudio/models", "legacy", "benchmarks"):
        for path in sorted((ROOT / folder).rglob(f"*{SUFFIX}")):
            try:
                found[path.name.removesuffix(SUFFIX)] = Figures.model_validate_json(path.read_bytes(), strict=False)
            except ValidationError as error:
                first = error.errors()[0]
                raise FileError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return found


def pages() -> Iterator[Path]:
    """Every page that has tables of figures."""
    for name in PAGES:
        found = [ROOT / name] if name.endswith(".md") else sorted((ROOT / name).rglob("*.md"))
        yield from (path for path in found if TABLE.search(path.read_text(encoding="utf-8")))


def followed(page: str, figures: dict[str, Figures], *, name: str = "page") -> str:
    """A page's text with its tables as the figures have them.

    Raises:
        FileError: a table of figures that there are not.
    """

    def table(match: re.Match[str]) -> str:
        begin, file, wanted, _, end = match.groups()
        try:
            return f"{begin}{figures[file].table(wanted)}\n{end}"
        except KeyError as error:
            raise FileError(f"{name}: asks for figures {file} {wanted}, and there is no {error.args[0]}") from None

    return TABLE.sub(table, page)


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="recipes.figures", description="Keep the tables of pages and figures alike.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the tables into the pages")
    what.add_argument("--check", action="store_true", help="fail where a page's tables are others")
    options = parser.parse_args(argv)
    figures, stale = all_figures(), []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if text != (made := followed(text, figures, name=path.name)):
            stale.append(path.relative_to(ROOT).as_posix())
            if options.write:
                with atomic_write(path) as file:
                    file.write(made.encode())
    if stale and options.check:
        raise FileError(
            f"{', '.join(stale)}: tables are not those of the figures; run python -m recipes.figures --write"
        )
    print(f"{len(stale)} of {len(list(pages()))} pages {'written' if options.write else 'differ'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
