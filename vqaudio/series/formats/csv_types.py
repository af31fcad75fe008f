"""The types of a CSV's columns, found from all of its cells, block by block.

Arrow tells the type of a block's cells; a column's is the first, in Arrow's order, that all of its blocks admit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from vqaudio.series.formats import csv_dialect
from vqaudio.series.formats.csv_lines import lines_of, text_of

INEXACT = 2**53
"""Beyond, floats do not hold all integers."""
NULL_WORDS = pa.array(arrow_csv.ConvertOptions().null_values)
"""What Arrow takes for a gap among numbers and times."""
ORDER = (
    *(pa.null(), pa.int64(), pa.bool_(), pa.date32(), pa.time32("s"), pa.timestamp("s"), pa.timestamp("s", "UTC")),
    *(pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.float64(), pa.string()),
)
"""In which Arrow tries them."""
_INTEGER = "^[+-]?[0-9]+$"


def parsed(text: bytes, names: Sequence[str], *, delimiter: str, point: str, types: Mapping[str, Any]) -> Any:
    """Lines of cells as an Arrow table; types that are not named are those that the cells suggest."""
    return arrow_csv.read_csv(
        pa.BufferReader(text),
        arrow_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
        arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=len(names) > 1),
        arrow_csv.ConvertOptions(decimal_point=point, column_types=types),
    )


class TypeFinder:
    """Looks at the cells of all columns, block by block.

    Args:
        names: that the columns have for Arrow.
        delimiter: of the file.
        point: the decimal point of its numbers.
        seeks_commas: whether it may be a comma instead.

    Attributes:
        too_large: columns of integers that no type holds, which are texts.
    """

    def __init__(self, names: Sequence[str], delimiter: str, *, point: str, seeks_commas: bool):
        self._names, self._delimiter, self._point, self._seeks_commas = names, delimiter, point, seeks_commas
        self.too_large: set[int] = set()
        self._kinds: list[set[Any]] = [set() for _ in names]
        self._has_large = [False] * len(names)
        self._has_points = [False] * len(names)
        self._has_commas = [False] * len(names)
        self._all_commas = [True] * len(names)

    def add(self, columns: Sequence[Any], text: bytes) -> None:
        """Look at some rows: Arrow arrays of strings, and the same as lines."""
        if not text:
            return
        table = parsed(text, self._names, delimiter=self._delimiter, point=self._point, types={})
        for number, (values, texts) in enumerate(zip(table.columns, columns, strict=True)):
            self._kinds[number].add(values.type)
            if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
                extremes = pc.min_max(values).as_py()
                least, most = extremes["min"] or 0, extremes["max"] or 0
                self._has_large[number] |= max(-least, most) > INEXACT
            if self._seeks_commas:
                self._look_for_commas(number, values.type, texts)

    def _look_for_commas(self, number: int, kind: Any, texts: Any) -> None:
        if pa.types.is_floating(kind):
            self._has_points[number] = self._has_points[number] or b"." in text_of(texts).to_pybytes()
        if self._all_commas[number] and not pa.types.is_integer(kind):
            self._all_commas[number] = all_match(texts, csv_dialect.COMMA_NUMBER)
            commas = pc.match_substring_regex(texts, csv_dialect.DECIMAL_COMMA)
            self._has_commas[number] |= self._all_commas[number] and any_of(commas)

    def has_decimal_commas(self, types: Sequence[Any]) -> bool:
        """Whether some texts are numbers with decimal commas and nothing else, and no number has a decimal point."""
        for kind, has_points in zip(types, self._has_points, strict=True):
            if pa.types.is_floating(kind) and has_points:
                return False
        found = zip(types, self._has_commas, self._all_commas, strict=True)
        return any(pa.types.is_string(kind) and has and every for kind, has, every in found)

    def types(self, reread: Callable[[list[int]], Iterable[Sequence[Any]]]) -> list[Any]:
        """The type of each column; ``reread`` gives the texts of some columns again, block by block."""
        candidates = [_candidates(kinds) for kinds in self._kinds]
        doubtful = [
            number
            for number, kinds in enumerate(candidates)
            if len(kinds) > 1 or (kinds[0] == pa.float64() and self._has_large[number])
        ]
        if doubtful:
            self._try(doubtful, candidates, reread(doubtful))
        return [kinds[0] for kinds in candidates]

    def _try(self, doubtful: Sequence[int], candidates: list[list[Any]], blocks: Iterable[Sequence[Any]]) -> None:
        """Leave only those candidates of doubtful columns that all cells admit.

        Integers that are floats to Arrow, and too large for that, are integers without a sign or texts.
        """
        whole, unsigned = dict.fromkeys(doubtful, True), dict.fromkeys(doubtful, True)
        for columns in blocks:
            for number, texts in zip(doubtful, columns, strict=True):
                candidates[number] = [kind for kind in candidates[number] if self._admits(texts, kind)]
                whole[number] = whole[number] and all_match(texts, _INTEGER)
                unsigned[number] = unsigned[number] and whole[number] and self._admits(texts, pa.uint64())
        for number in doubtful:
            if candidates[number][0] == pa.float64() and self._has_large[number] and whole[number]:
                candidates[number] = [pa.uint64() if unsigned[number] else pa.string()]
                self.too_large |= set() if unsigned[number] else {number}

    def _admits(self, texts: Any, kind: Any) -> bool:
        """Whether all texts can be converted."""
        delimiter = "," if self._point == "." else ";"
        if not len(texts):
            return True
        try:
            parsed(b"".join(lines_of([texts], {})), ["f"], delimiter=delimiter, point=self._point, types={"f": kind})
        except pa.ArrowException:
            return False
        return True


def _candidates(kinds: set[Any]) -> list[Any]:
    """Types that a column may have whose blocks have such ones, in Arrow's order."""
    kinds = kinds - {pa.null()}
    if len(kinds) < 2:
        return list(kinds) or [pa.null()]
    if kinds == {pa.int64(), pa.float64()} or kinds == {pa.date32(), pa.timestamp("s")} or pa.string() in kinds:
        return [max(kinds, key=ORDER.index)]
    return list(ORDER[max(map(ORDER.index, kinds)) :])


def all_match(texts: Any, pattern: str) -> bool:
    """Whether all cells that hold something match."""
    return not any_of(pc.invert(pc.or_(pc.match_substring_regex(texts, pattern), pc.is_in(texts, NULL_WORDS))))


def any_of(flags: Any) -> bool:
    """Whether one is true."""
    return bool(pc.any(flags, min_count=0).as_py())
