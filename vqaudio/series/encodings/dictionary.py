"""Texts and bytes as numbers in a dictionary of all that a column holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import InstanceOf

from vqaudio.series.arrays import Integers
from vqaudio.series.encodings.base import ColumnEncoding, EncodedValues
from vqaudio.series.table import Dictionary


@dataclass(frozen=True)
class DictionaryEncoding(ColumnEncoding):
    """Words by their numbers."""

    kind = "words"

    words: tuple[InstanceOf[str], ...]  # not pydantic's strings, which hold no lone surrogates

    @cached_property
    def _table(self) -> NDArray[Any]:
        return np.array([*self.words, ""], object)

    def values(self, numbers: Integers, dtype: str) -> NDArray[Any]:
        return self._table[np.clip(numbers, 0, len(self.words))]

    def as_json(self) -> dict[str, Any]:
        return {"words": self.words}


def encode_words(texts: list[str], dictionary: Dictionary | None) -> EncodedValues:
    """Texts, by words in the order of the column's own dictionary, or that in which they first stand."""
    words = dict.fromkeys(texts if dictionary is None else dictionary.words)
    order = {word: number for number, word in enumerate(words)}
    numbers = np.array([order[text] for text in texts], np.int64)
    return EncodedValues(DictionaryEncoding(tuple(words)), numbers, np.ones(len(texts), bool))
