"""CSV to tables: gone through by Arrow once for how it is written and what types it has, then in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa

from vqaudio.series.formats import csv_dialect
from vqaudio.series.formats.arrow import from_arrow, rechunked
from vqaudio.series.formats.base import TableReader
from vqaudio.series.formats.csv_layout import LayoutCheck, candidate_layouts
from vqaudio.series.formats.csv_lines import lines_of
from vqaudio.series.formats.csv_source import CsvSource
from vqaudio.series.formats.csv_types import TypeFinder
from vqaudio.series.formats.text_types import TextType, TextTypeFinder
from vqaudio.series.table import Column, Table

CHANGED = "all cells come back, but not all quotes, blank lines and line ends around them"


class CsvReader(TableReader):
    """A CSV file in UTF-8 whose first line may name the columns.

    When it is opened it is gone through for its lines, which are to be written again as they stood, and for the types
    that all cells of its columns suggest together; then once more for texts, which may be numbers or times but for a
    few cells. Memory does not grow with the file.

    Args:
        file: an open one, which can seek.
        name: of it, for errors.
        delimiter: a character; None for the likeliest of comma, semicolon, tab and bar.
        decimal: the decimal point of its numbers; None for a comma where they cannot be read otherwise, else a point.

    Raises:
        SeriesError: an empty file, lines of unequal length, quotes that are not closed, another encoding.
    """

    n_rows: int

    def __init__(self, file: IO[bytes], name: str, *, delimiter: str | None = None, decimal: str | None = None):
        self.name, self._source = name, CsvSource(file, name, delimiter)
        self._is_single = len(self._source.names) == 1  # where a blank line is an empty cell
        source = self._source
        titles = [column[0].as_py() for column in next(source.written(with_blank=self._is_single)).columns]
        point = decimal or ("," if source.delimiter != "," else ".")
        self._header = not all(csv_dialect.is_number(title, point) for title in titles)
        self._titles = titles if self._header else [str(number) for number in range(len(titles))]
        self.origin = {
            **{"suffix": ".csv", "delimiter": source.delimiter, "header": self._header, "newline": source.newline},
            **({"bom": True} if source.survey.has_bom else {}),
        }
        self.remarks: list[str] = []
        self._places, self._ends = np.zeros(0, np.int64), True
        self._point = decimal or "."
        finder = self._types_and_layout(seeks_commas=decimal is None and source.delimiter != ",")
        self._kinds = finder.types(self._texts_again)
        if finder.has_decimal_commas(self._kinds):
            self._point = ","
            finder = self._types_alone(seeks_commas=False)
            self._kinds = finder.types(self._texts_again)
        self._odd = self._types_of_texts(finder.too_large)

    # ------------------------------------------------------------------------------------------------ the whole file

    def _types_and_layout(self, *, seeks_commas: bool) -> TypeFinder:
        """What tells the types of all columns, once ``origin`` says how lines are written."""
        source = self._source
        for layout in candidate_layouts(source, header=self._header):
            check = LayoutCheck(source, self.origin | layout, self._titles if self._header else None)
            finder = self._types_as_they_stand(check, seeks_commas=seeks_commas)
            if finder is not None:
                self.origin |= layout
                self._places, self._ends = np.concatenate(check.places), source.survey.ends
                return finder
        if source.survey.has_quotes:
            source.refuse_faults()
        self.remarks.append(CHANGED)
        return self._types_alone(seeks_commas=seeks_commas)

    def _types_as_they_stand(self, check: LayoutCheck, *, seeks_commas: bool) -> TypeFinder | None:
        """What has seen all cells; None where lines are not as ``check`` has them."""
        finder, self.n_rows = self._finder(seeks_commas), 0
        seeks_blank = self._source.survey.has_blank_lines and not self._is_single
        for columns, is_last in _with_last(self._blocks(with_blank=seeks_blank or self._is_single)):
            found = check.rows(columns, is_last=is_last, with_blank=seeks_blank)
            if found is None:
                return None
            self.n_rows += len(found[0][0])
            finder.add(*found)
        return finder

    def _types_alone(self, *, seeks_commas: bool) -> TypeFinder:
        finder, self.n_rows = self._finder(seeks_commas), 0
        for columns in self._blocks(with_blank=self._is_single):
            self.n_rows += len(columns[0])
            finder.add(columns, b"".join(map(bytes, lines_of(columns, self.origin))))
        return finder

    def _finder(self, seeks_commas: bool) -> TypeFinder:
        source = self._source
        return TypeFinder(source.names, source.delimiter, point=self._point, seeks_commas=seeks_commas)

    def _blocks(self, *, with_blank: bool, only: list[int] | None = None) -> Iterator[list[Any]]:
        """Texts of all rows below the names, or of some columns alone, block by block."""
        n_above = int(self._header)
        for batch in self._source.written(with_blank=with_blank, columns=only):
            yield [column[n_above:] for column in batch.columns]
            n_above = 0

    def _texts_again(self, columns: list[int]) -> Iterator[list[Any]]:
        return self._blocks(with_blank=self._is_single, only=columns)

    def _types_of_texts(self, too_large: set[int]) -> dict[int, TextType]:
        """Those of the columns of texts that are numbers or times but for a few cells."""
        columns = [at for at, kind in enumerate(self._kinds) if pa.types.is_string(kind) and at not in too_large]
        finders = {at: TextTypeFinder(point=self._point) for at in columns}
        if columns:
            for texts in self._texts_again(columns):
                for at, some in zip(columns, texts, strict=True):
                    finders[at].add(some)
                if all(finder.is_over for finder in finders.values()):
                    break
        found = {at: finder.found() for at, finder in finders.items()}
        return {at: kind for at, kind in found.items() if kind is not None}

    # ------------------------------------------------------------------------------------------------------ in pieces

    def pieces(self, rows: int) -> Iterator[Table]:
        """See :meth:`TableReader.pieces`."""
        source, n_names = self._source, int(self._header)
        types = {at: kind for at, kind in enumerate(self._kinds) if not pa.types.is_string(kind)}
        written = source.written(with_blank=self._is_single)
        typed = source.typed(types, point=self._point, with_blank=self._is_single, n_skipped=n_names)
        all_texts = rechunked(written, rows, n_skipped=n_names)
        all_values = rechunked(typed, rows, n_skipped=0) if types and self.n_rows else iter(())
        no_texts = pa.table([pa.array([], pa.string())] * len(self._kinds), names=source.names)
        no_values = pa.table([pa.array([], kind) for kind in types.values()], names=list(map(str, types)))
        for start in range(0, max(1, self.n_rows), rows):
            texts = next(all_texts, no_texts).columns[::-1]
            values = dict(zip(types, next(all_values, no_values).columns, strict=True))
            columns = [self._column(at, texts.pop(), values.pop(at, None)) for at in range(len(self._kinds))]
            ready = [Table(columns, self._origin_of(start, start + rows), self.remarks)]
            del columns  # which are held no longer than who reads the piece needs
            yield ready.pop()

    def _column(self, at: int, texts: Any, values: Any) -> Column:
        name, written = self._titles[at], texts.combine_chunks()
        if at in self._odd:
            return self._odd[at].column(name, written)
        column = from_arrow(name, written if values is None else values, file=self.name)
        column.texts = written
        column.style = {"point": ","} if self._point == "," and column.dtype == "float64" else {}
        return column

    def _origin_of(self, start: int, stop: int) -> dict[str, Any]:
        """That of the piece of some rows."""
        origin, n_names, is_last = dict(self.origin), int(self._header), stop >= self.n_rows
        if is_last and not self._ends:
            origin["ends"] = False
        first = start + n_names if start else 0
        here = (self._places >= first) & (is_last | (self._places < stop + n_names))
        if here.any():
            origin["blank_lines"] = np.diff(self._places[here] - first, prepend=0).tolist()
        return origin


def _with_last(blocks: Iterator[Sequence[Any]]) -> Iterator[tuple[Sequence[Any], bool]]:
    """Blocks, and whether each is the last."""
    held = next(blocks)
    for block in blocks:
        yield held, False
        held = block
    yield held, True
