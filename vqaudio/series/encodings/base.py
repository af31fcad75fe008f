"""What an encoding of columns is, and a column in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from vqaudio.series.arrays import Bools, Integers
from vqaudio.series.table import Column


class ColumnEncoding(ABC):
    """How a column's values follow from *numbers*: integers of 64 bits, one a cell.

    Attributes:
        kind: what files call it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")  # they are read from files: unknown keys are refused
    kind: ClassVar[str]

    @abstractmethod
    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        """The values ``(rows,)``, of a numpy type, that numbers stand for."""

    def as_json(self) -> dict[str, Any]:
        """Its arguments, as files hold them."""
        return dict(vars(self))


@dataclass(frozen=True)
class EncodedValues:
    """Values as integers.

    Args:
        encoding: back to the values.
        numbers: int64 ``(values,)``.
        representable: bool ``(values,)``: which of the values their numbers stand for, within the bound.
        bound: how far decoded values may be off; 0 for none.
    """

    encoding: ColumnEncoding
    numbers: Integers
    representable: Bools
    bound: float = 0.0


@dataclass(frozen=True)
class EncodedColumn:
    """A column as integers.

    Args:
        encoding: back to its values.
        numbers: int64 ``(rows,)``; where there is no value, or a literal, that of the row before.
        literals: bool ``(rows,)``: where values stand for themselves.
        bound: how far decoded values may be off; 0 for none.
        exempt: whether it is exact whatever bound is asked for.
        sentinels: values that stand for none, and are no numbers either.
        marks: uint8 ``(rows,)``, what cells hold: as those of the column, or ``SENTINEL`` + the number of a sentinel.
    """

    encoding: ColumnEncoding
    numbers: Integers
    literals: Bools
    bound: float = 0.0
    exempt: bool = False
    sentinels: tuple[int | float, ...] = ()
    marks: NDArray[np.uint8] | None = None

    @classmethod
    def of_known(cls, column: Column, values: EncodedValues, *, exempt: bool) -> EncodedColumn:
        """All rows of a column, from the cells that hold a value; what these do not represent are literals."""
        if len(values.numbers) == len(column.cells) and values.representable.all():
            return cls(values.encoding, values.numbers, ~values.representable, values.bound, exempt)
        literals = np.zeros(len(column.cells), bool)
        literals[column.known] = ~values.representable
        good = column.known & ~literals
        numbers = np.zeros(len(good), np.int64)
        numbers[column.known] = values.numbers
        odd = np.flatnonzero(~good)
        follows = np.diff(odd, prepend=-1) == 1  # another odd one, or the column's beginning
        before = np.maximum.accumulate(np.where(follows, -1, odd - 1))
        first = int(numbers[np.argmax(good)]) if good.any() else 0
        numbers[odd] = np.where(before >= 0, numbers[before], first)
        return cls(values.encoding, numbers, literals, values.bound, exempt)
