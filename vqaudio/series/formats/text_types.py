"""Types of columns that are text at first sight: numbers and times but for a few odd cells.

A column is of the first of these types that nearly all of its cells belong to: integers, decimals, times by a pattern
(:mod:`vqaudio.series.time_text`). Odd cells (``?``, ``n/a``, ``trace``) become gaps, whose text the column's style
keeps. What is decided for a file holds for all of its pieces.

    >>> import pyarrow as pa
    >>> column = typed_column("load", pa.array(["1.50", "?", "2.25"] * 40), most_odd=0.5)
    >>> column.dtype, column.values[:3].tolist(), column.cells[:3].tolist()
    ('float64', [1.5, 0.0, 2.25], [0, 1, 0])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vqaudio.series import time_text
from vqaudio.series.arrays import Bools, Integers
from vqaudio.series.table import NAN, NULL, VALUE, Column

ODD_SHARE = 0.05
"""Of the cells that hold something, so many may be odd."""
LEAST_CELLS = 8
"""Cells of a type that a column must have; of fewer no one can say what they are."""
LEADING_ROWS = 256
"""Cells that suggest patterns of times."""
INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
"""Integers of 64 bits as they are usually written, in the syntax of RE2; ``007`` may be a name."""
DECIMAL = r"^[+-]?([0-9]+({0}[0-9]*)?|{0}[0-9]+)([eE][+-]?[0-9]{{1,3}})?$"
PADDED = r"^[+-]?0[0-9]"


class TextType(ABC):
    """A type that texts may have.

    Attributes:
        dtype: of the column.
        style: what is known of how its cells are written.
    """

    dtype: str
    style: dict[str, Any]

    @abstractmethod
    def parse(self, texts: Any) -> tuple[NDArray[Any], Bools]:
        """Values of an Arrow array of texts, 0 where one is odd or null, and where they are of this type."""

    def column(self, name: str, texts: Any) -> Column:
        """The column of some texts, an Arrow array, chunked or not; odd ones are gaps, and so are empty ones."""
        texts = _in_one_piece(texts)
        values, fits = self.parse(texts)
        cells = np.where(fits, VALUE, NULL).astype(np.uint8)
        if values.dtype.kind == "f":
            cells[fits & np.isnan(values)] = NAN
        return Column(name, self.dtype, values, cells, texts=texts, style=dict(self.style))


@dataclass(frozen=True)
class NumberType(TextType):
    """Numbers: integers of 64 bits, or floats with that decimal point.

    Args:
        dtype: ``int64`` or ``float64``.
        point: of floats.
    """

    dtype: str
    point: str = "."

    @property
    def style(self) -> dict[str, Any]:  # type: ignore[override]
        """See :class:`TextType`."""
        return {"point": ","} if self.dtype == "float64" and self.point == "," else {}

    def parse(self, texts: Any) -> tuple[NDArray[Any], Bools]:
        mark = r"\." if self.point == "." else self.point
        fits = pc.match_substring_regex(texts, INTEGER if self.dtype == "int64" else DECIMAL.format(mark))
        if self.dtype == "float64":
            fits = pc.and_not(fits, pc.match_substring_regex(texts, PADDED))
        fits = fits.fill_null(False)
        kept = pc.if_else(fits, texts, pa.scalar("0"))
        if self.point == "," and self.dtype == "float64":
            kept = pc.replace_substring(kept, ",", ".")
        values = pc.cast(kept, pa.int64() if self.dtype == "int64" else pa.float64())
        found = values.to_numpy(zero_copy_only=False)
        is_fit = fits.to_numpy(zero_copy_only=False)
        return found, is_fit & np.isfinite(found) if self.dtype == "float64" else is_fit


@dataclass(frozen=True)
class PatternType(TextType):
    """Times by a pattern."""

    pattern: str

    @property
    def dtype(self) -> str:  # type: ignore[override]
        """See :class:`TextType`."""
        return time_text.dtype_of(self.pattern)

    @property
    def style(self) -> dict[str, Any]:  # type: ignore[override]
        """See :class:`TextType`."""
        return {"pattern": self.pattern}

    def parse(self, texts: Any) -> tuple[Integers, Bools]:
        texts = pc.fill_null(texts, "").cast(pa.string())
        _, offsets, data = texts.buffers()
        starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
        return time_text.parse(np.frombuffer(data or b"", np.uint8), starts, self.pattern)


class TextTypeFinder:
    """Looks at a column's texts, piece by piece, for the type that they have.

    Args:
        point: the decimal point of the file's numbers.
        most_odd: the share of cells that may be odd.
    """

    def __init__(self, *, point: str = ".", most_odd: float = ODD_SHARE):
        self._point, self._most_odd = point, most_odd
        self._counts: dict[TextType, int] | None = None
        self._steps: dict[TextType, float] = {}
        self._n_cells = 0

    @property
    def is_over(self) -> bool:
        """Whether it is a text, whatever comes."""
        return self._counts == {}

    def add(self, texts: Any) -> None:
        """Look at the next texts, an Arrow array, chunked or not."""
        texts = _in_one_piece(texts)
        n_cells = int(pc.sum(pc.not_equal(texts, ""), min_count=0).as_py())
        if not n_cells or self.is_over:
            return
        if self._counts is None:
            self._counts = dict.fromkeys(self._suggested(texts), 0)
        self._n_cells += n_cells
        for kind in self._counts:
            values, fits = kind.parse(texts)
            self._counts[kind] += int(np.count_nonzero(fits))
            self._steps[kind] = self._steps.get(kind, 0.0) + float(np.abs(np.diff(values[fits].astype(float))).sum())

    def _suggested(self, texts: Any) -> Sequence[TextType]:
        """Types that the first texts may have."""
        some = texts.filter(pc.not_equal(texts, ""))[:LEADING_ROWS]
        numbers = [NumberType("int64"), NumberType("float64", self._point)]
        if any(_share(kind, some) > 0.5 for kind in numbers):
            return numbers
        patterns = dict.fromkeys(
            pattern for text in some[: LEADING_ROWS // 32].to_pylist() for pattern in time_text.candidates(text)
        )
        return [kind for kind in map(PatternType, patterns) if _share(kind, some) > 0.5]

    def found(self) -> TextType | None:
        """The type that the texts have, all seen; None where they are texts.

        Of two that fit as many cells it is the one whose values change less from row to row: whether days or months
        come first shows in that.
        """
        least = max(LEAST_CELLS, self._n_cells * (1 - self._most_odd))
        good = {kind: count for kind, count in (self._counts or {}).items() if count >= least}
        most = max(good.values(), default=0)
        as_good = [kind for kind, count in good.items() if count == most]
        return min(as_good, key=lambda kind: self._steps[kind]) if as_good else None


def typed_column(name: str, texts: Any, *, point: str = ".", most_odd: float = ODD_SHARE) -> Column | None:
    """A column of numbers or times, from texts nearly all of which are such; None for other texts.

    Args:
        name: of the column.
        texts: an Arrow array of strings, chunked or not.
        point: the decimal point of numbers.
        most_odd: the share of cells that may be odd.
    """
    finder = TextTypeFinder(point=point, most_odd=most_odd)
    finder.add(texts)
    kind = finder.found()
    return None if kind is None else kind.column(name, texts)


def _in_one_piece(texts: Any) -> Any:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _share(kind: TextType, texts: Any) -> float:
    return float(np.mean(kind.parse(texts)[1])) if len(texts) else 0.0
