"""What is told of the columns of a file: types, bounds, and what each of them takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from vqaudio.series.chunk import ColumnChunk
from vqaudio.series.schema import ColumnSchema


@dataclass
class ColumnUse:
    """What a column takes in the chunks that were read.

    Args:
        size: bytes.
        n_rows: rows of these chunks.
        n_literals: values that are stored as they are.
        encodings: how many chunks have each.
        coders: in how many chunks its numbers were predicted, or coded, by what.
    """

    size: int = 0
    n_rows: int = 0
    n_literals: int = 0
    encodings: Counter[str] = field(default_factory=Counter)
    coders: Counter[str] = field(default_factory=Counter)

    def add(self, column: ColumnChunk) -> None:
        """The column in another chunk."""
        self.size += column.size
        self.n_rows += len(column.numbers)
        self.n_literals += len(column.literal_rows)
        self.encodings[column.encoding.kind] += 1
        self.coders[column.predictor] += 1


def facts_of_column(schema: ColumnSchema, use: ColumnUse, *, n_bytes: int) -> dict[str, Any]:
    """A column as JSON has it; ``n_bytes`` is the size of the file."""
    return {
        "name": schema.name,
        "type": schema.type_in_words,
        "bound": schema.bound_in_words,
        "max_error": schema.bound,
        "max_relative_error": schema.share,
        "asked": schema.asked,
        "bytes": use.size,
        "share": round(use.size / n_bytes, 4),
        "bits_per_value": round(use.size * 8 / max(1, use.n_rows), 3),
        "literals": use.n_literals,
        "encoding": _in_words(use.encodings),
        "coder": _in_words(use.coders),
    }


def _in_words(counts: Counter[str]) -> str:
    """Names, the most frequent first."""
    return ", ".join(name for name, _ in counts.most_common())
