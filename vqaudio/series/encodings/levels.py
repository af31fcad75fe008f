"""Values that take few levels of all that their encoding could: by the place of each in the list of levels.

Whatever an instrument counts in, a scale that is not decimal turns into decimals: steps of 1/12.84 mmHg written with
four digits, or of 0.067 kW that were 32-bit floats for a while. Such values lie on few of the numbers of their grid.
So do months as days, and integers among which some stand with four decimals. The list costs a few bits a level, once a
chunk; places in it rise and fall as the values do, so that they are predicted as well.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vqaudio.container.fields import Cursor, DamageError, varint
from vqaudio.series.arrays import Integers
from vqaudio.series.coding.column import decode_column, encode_column
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues
from vqaudio.series.encodings.float_bits import FloatBits, NearDecimals
from vqaudio.series.encodings.grid import GridEncoding
from vqaudio.series.encodings.integer import IntegerEncoding

Base = Annotated[
    tuple[Literal["whole"], IntegerEncoding]
    | tuple[Literal["grid"], GridEncoding]
    | tuple[Literal["near"], NearDecimals]
    | tuple[Literal["bits"], FloatBits],
    Field(union_mode="left_to_right"),
]
BASES = (IntegerEncoding, GridEncoding, NearDecimals, FloatBits)

SAMPLE_ROWS = 1 << 16
LEAST_ROWS = 64
LEAST_SAVED = 64
"""Bytes that a list of levels must save beside its own."""
ROWS_PER_LEVEL = 4
MOST_FLAGS = 1 << 24
"""Numbers of a narrower range are counted by flags, others sorted."""
LEVELS_PER_BYTE = 64
"""Levels that a list may hold for each of its bytes, so that no short one takes much memory."""


@dataclass(frozen=True)
class LevelsEncoding(ColumnEncoding):
    """Numbers are places in a list of the numbers of another encoding.

    Args:
        base: the other encoding, with its kind.
        table: the list: how many there are, as a varint, and they as a column of a chunk; in base 64,
            which deflates to nearly the bytes that it stands for.
    """

    kind = "levels"

    base: Base
    table: Annotated[str, Field(strict=True)]
    _levels: Integers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            data = base64.b64decode(self.table)
            cursor = Cursor(data)
            if not 1 <= (count := cursor.varint()) <= LEVELS_PER_BYTE * len(data):
                raise ValueError(f"{count} levels in {len(data)} bytes")
            levels, _ = decode_column(cursor, count, previous=[])
        except DamageError as damage:
            raise ValueError(str(damage)) from None
        object.__setattr__(self, "_levels", levels)

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        return self.base[1].values(self._levels, dtype)[np.clip(numbers, 0, len(self._levels) - 1)]

    def as_json(self) -> dict[str, Any]:
        return {"base": [self.base[0], self.base[1].as_json()], "table": self.table}


def by_levels(found: EncodedValues) -> EncodedValues:
    """The same values by levels where that takes fewer bytes, else as they are."""
    numbers = found.numbers[found.representable]
    if len(numbers) < LEAST_ROWS or not isinstance(found.encoding, BASES):
        return found
    levels = _levels(numbers)
    if levels is None:
        return found
    places = np.searchsorted(levels, found.numbers).clip(0, len(levels) - 1)
    saved = (_bits(found.numbers) - _bits(places)) / 8
    if saved < LEAST_SAVED + _bits(np.diff(levels)) / 16:
        return found
    table = varint(len(levels)) + encode_column(levels, [])[0]
    if saved < LEAST_SAVED + len(table) or len(levels) > LEVELS_PER_BYTE * len(table):
        return found
    base = cast(Any, (found.encoding.kind, found.encoding))
    encoding = LevelsEncoding(base, base64.b64encode(table).decode())
    return replace(found, encoding=encoding, numbers=places)


def _levels(numbers: Integers) -> Integers | None:
    """The distinct numbers in order, where they are few of all that there could be."""
    some = _distinct(numbers[np.linspace(0, len(numbers) - 1, min(SAMPLE_ROWS, len(numbers))).astype(np.int64)])
    width = int(some[-1]) - int(some[0])
    if 2 * len(some) > min(SAMPLE_ROWS, len(numbers)) or width < 2 * len(some):
        return None
    least, greatest = int(numbers.min()), int(numbers.max())
    if greatest - least < MOST_FLAGS:
        flags = np.zeros(greatest - least + 1, bool)
        flags[numbers - least] = True
        levels = np.flatnonzero(flags) + least
    else:
        levels = _distinct(numbers)
    return levels if len(levels) * ROWS_PER_LEVEL <= len(numbers) else None


def _distinct(numbers: Integers) -> Integers:
    """In order; quicker than numpy's own, which hashes."""
    in_order = np.sort(numbers)
    return cast(Integers, in_order[np.concatenate([[True], in_order[1:] != in_order[:-1]])])


def _bits(numbers: Integers) -> float:
    """About what numbers take that are predicted from the one before, by a sample of them."""
    rows = np.linspace(0, len(numbers) - 2, min(SAMPLE_ROWS, len(numbers) - 1)).astype(np.int64)
    steps = numbers[rows + 1].astype(np.float64) - numbers[rows]
    return float(np.log2(1 + np.abs(steps)).mean() * len(numbers)) if len(steps) else 0.0
