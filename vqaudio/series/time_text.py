"""Times as text in the order of days, months and years that a file has: patterns, and texts by them in both directions.

A pattern is a text in which directives stand for numbers, as in C's ``strftime``: ``%d`` days, ``%m`` months, ``%b``
months by their English names of three letters, ``%Y`` years of four digits, ``%y`` those of two (1969 to 2068), ``%H``
hours, ``%I`` hours of twelve, ``%p`` AM or PM (``%P``: am or pm), ``%M`` minutes, ``%S`` seconds. Numbers have two
digits, unless a ``-`` stands before the letter: then they have no zero before them. All else stands for itself.

Only a text that comes back to the letter fits a pattern. Values are int64: seconds since 1970 or since midnight, or
days since 1970 of patterns without hours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vqaudio.series.arrays import Bools, Integers

Bytes = NDArray[np.uint8]

DIRECTIVE = re.compile(r"%(-?[dmHI]|[bYypPMS])")
PATTERN = re.compile(r"(%(-?[dmHI]|[bYypPMS])|[ -$&-~])*")
"""What patterns are made of: directives and printable characters of ASCII."""
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HALVES = {"p": ("AM", "PM"), "P": ("am", "pm")}
DAY = 86400
FIRST_SHORT_YEAR = 1969
_WIDTHS = {"b": 3, "Y": 4}
"""Characters of directives; others have two."""
_BLOCK = 1 << 13
_ORDERS = (
    "%d{0}%m{0}%Y",
    "%m{0}%d{0}%Y",
    "%Y{0}%m{0}%d",
    "%d{0}%m{0}%y",
    "%m{0}%d{0}%y",
    "%d{0}%b{0}%Y",
    "%b{0}%d{0}%Y",
)
_CLOCKS = ("%H{0}%M", "%H{0}%M{0}%S", "%I{0}%M %p", "%I{0}%M{0}%S %p", "%I{0}%M %P", "%I{0}%M{0}%S %P")


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern that says a date wholly, or a time of day, or both."""
    letters = [found[1].removeprefix("-") for found in DIRECTIVE.finditer(text)]
    months, years = ({"m", "b"} & set(letters), {"y", "Y"} & set(letters))
    has_date = "d" in letters and len(months) == 1 and len(years) == 1
    no_date = not months and not years and "d" not in letters
    halves = {"p", "P"} & set(letters)
    has_clock = ("H" in letters and "I" not in letters and not halves) or ("I" in letters and len(halves) == 1)
    no_clock = not {"H", "I", "M", "S", "p", "P"} & set(letters)
    once = len(set(letters)) == len(letters)
    whole = (has_date or no_date) and (has_clock or no_clock) and (has_date or has_clock)
    return PATTERN.fullmatch(text) is not None and once and whole


def dtype_of(pattern: str) -> str:
    """The type of a column of such times: ``date32``, ``time32[s]`` or ``timestamp[s]``."""
    letters = {found[1].removeprefix("-") for found in DIRECTIVE.finditer(pattern)}
    if not letters & {"H", "I"}:
        return "date32"
    return "timestamp[s]" if "d" in letters else "time32[s]"


def candidates(text: str) -> Sequence[str]:
    """The patterns that a text may be written by, the usual ones first; none where it is no time."""
    shape = re.sub("|".join(MONTH_NAMES), "b", re.sub("[0-9]+", "0", text))
    return _patterns().get(re.sub("AM|PM", "p", re.sub("am|pm", "P", shape)), ())


@cache
def _patterns() -> dict[str, list[str]]:
    """Patterns by their shape: a 0 for a number, and a letter for a word."""
    dates = [order.format(mark) for order, mark in product(_ORDERS, "/-. ")]
    clocks = [clock.format(mark) for clock, mark in product(_CLOCKS, ":.")]
    joined = [f"{date}{gap}{clock}" for date, clock in product(dates, clocks) for gap in " T"]
    found: dict[str, list[str]] = {}
    for made in (*dates, *clocks, *joined):
        shape = DIRECTIVE.sub(lambda directive: directive[1] if directive[1] in "bpP" else "0", made)
        short_date, short_hour = re.sub("%([dm])", r"%-\1", made), re.sub("%([HI])", r"%-\1", made)
        for pattern in dict.fromkeys((made, short_date, short_hour, re.sub("%([HI])", r"%-\1", short_date))):
            found.setdefault(shape, []).append(pattern)
    return found


def parse(data: Bytes, offsets: Integers, pattern: str) -> tuple[Integers, Bools]:
    """Texts by a pattern: values ``(texts,)``, 0 where a text does not fit, and where they do.

    Args:
        data: the bytes of all texts, one after another.
        offsets: where in ``data`` each text begins, and where the last one ends: int64 ``(texts + 1,)``.
        pattern: see above.
    """
    reader = _Reader(np.concatenate([data, np.zeros(4 * len(pattern) + 4, np.uint8)]), offsets)
    for part in _parts(pattern):
        reader.take(part)
    return reader.values()


class _Reader:
    """All texts at once, from left to right; what follows them is as long as any pattern is."""

    def __init__(self, data: Bytes, offsets: Integers):
        self.data = data.astype(np.int16)
        self.at, self.ends = offsets[:-1].copy(), offsets[1:]
        self.fits = np.ones(len(self.at), bool)
        self.numbers: dict[str, Integers] = {}

    def take(self, part: str) -> None:
        """A directive, or a character."""
        letter = part[-1]
        if len(part) == 1:
            self.fits &= self.data[self.at] == ord(part)
            self.at += 1
        elif letter in HALVES:
            first, second = self.data[self.at], self.data[self.at + 1]
            is_late = first == ord(HALVES[letter][1][0])
            self.fits &= (is_late | (first == ord(HALVES[letter][0][0]))) & (second == ord(HALVES[letter][0][1]))
            self.numbers["half"] = is_late.astype(np.int64)
            self.at += 2
        elif letter == "b":
            codes = [sum(ord(char) << 8 * place for place, char in enumerate(name)) for name in MONTH_NAMES]
            order = np.argsort(codes)
            found = sum(self.data[self.at + place].astype(np.int64) << 8 * place for place in range(3))
            where = np.minimum(np.searchsorted(np.array(codes)[order], found), len(codes) - 1)
            self.numbers["m"] = order[where] + 1
            self.fits &= np.array(codes)[order][where] == found
            self.at += 3
        elif letter == "Y":
            self.numbers["Y"] = self._digits() * 100 + self._digits()
        elif "-" in part:
            first, second = self.data[self.at] - 48, self.data[self.at + 1] - 48
            has_two = (second >= 0) & (second <= 9) & (self.at + 1 < self.ends)
            self.fits &= (first >= 0) & (first <= 9) & ~(has_two & (first == 0))
            self.numbers[letter] = np.where(has_two, first * 10 + second, first).astype(np.int64)
            self.at += 1 + has_two
        else:
            self.numbers[letter] = self._digits()

    def _digits(self) -> Integers:
        """Two digits."""
        first, second = self.data[self.at] - 48, self.data[self.at + 1] - 48
        self.fits &= (first >= 0) & (first <= 9) & (second >= 0) & (second <= 9)
        self.at += 2
        return (first * 10 + second).astype(np.int64)

    def values(self) -> tuple[Integers, Bools]:
        """After all parts: the values, and where texts fit."""
        self.fits &= self.at == self.ends
        total = np.zeros(len(self.at), np.int64)
        numbers = self.numbers
        if "y" in numbers:
            numbers["Y"] = (numbers["y"] - FIRST_SHORT_YEAR) % 100 + FIRST_SHORT_YEAR
        if "Y" in numbers:
            self.fits &= (numbers["m"] >= 1) & (numbers["m"] <= 12) & (numbers["d"] >= 1)
            months = (numbers["Y"] - 1970) * 12 + numbers["m"] - 1
            first, following = _days_of(months), _days_of(months + 1)
            total = first + numbers["d"] - 1
            self.fits &= total < following
        if "I" in numbers:
            self.fits &= (numbers["I"] >= 1) & (numbers["I"] <= 12)
            numbers["H"] = numbers["I"] % 12 + 12 * numbers["half"]
        if "H" in numbers:
            self.fits &= numbers["H"] < 24
            total = total * DAY + numbers["H"] * 3600
            for letter, seconds in (("M", 60), ("S", 1)):
                if letter in numbers:
                    self.fits &= numbers[letter] < 60
                    total += numbers[letter] * seconds
        return np.where(self.fits, total, 0), self.fits


def _days_of(months: Integers) -> Integers:
    """The days since 1970 that months begin at, which are counted from there."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _parts(pattern: str) -> list[str]:
    return [found[0] for found in re.finditer(r"%-?[A-Za-z]|[^%]", pattern)]


def render(values: Integers, pattern: str) -> tuple[Bytes, Integers]:
    """Values as text, the other way round than :func:`parse`: the bytes of all texts, and their offsets in these."""
    data, lengths = [np.zeros(0, np.uint8)], [np.zeros(1, np.int64)]
    for start in range(0, len(values), _BLOCK):
        table, kept = _render_bytes(values[start : start + _BLOCK], pattern)
        data.append(table.ravel() if kept.all() else table[kept])
        lengths.append(np.count_nonzero(kept, axis=1))
    return np.concatenate(data), np.concatenate(lengths).cumsum()


def _render_bytes(values: Integers, pattern: str) -> tuple[Bytes, Bools]:
    """Texts as a table of bytes ``(values, width)``, and which of them are there."""
    numbers = _numbers(values, has_clock=dtype_of(pattern) != "date32")
    parts = _parts(pattern)
    table = np.empty((len(values), sum(_WIDTHS.get(part[-1], 2) if part[0] == "%" else 1 for part in parts)), np.uint8)
    kept = np.ones(table.shape, bool)
    at = 0
    for part in parts:
        letter = part[-1]
        made: Sequence[Integers | Bytes | int]
        if part[0] != "%":
            made = [ord(part)]
        elif letter in HALVES:
            late = numbers["H"] >= 12
            made = [np.where(late, ord(second), ord(first)) for first, second in zip(*HALVES[letter], strict=True)]
        elif letter == "b":
            made = list(np.array([list(name.encode()) for name in MONTH_NAMES], np.uint8)[numbers["m"] - 1].T)
        elif letter == "Y":
            made = [48 + numbers["Y"] // 10**place % 10 for place in (3, 2, 1, 0)]
        else:
            number = numbers["Y"] % 100 if letter == "y" else numbers[letter]
            tens = number // 10
            made = [48 + tens, 48 + number - 10 * tens]
            if "-" in part:
                kept[:, at] = tens > 0
        for column in made:
            table[:, at] = column
            at += 1
    return table, kept


def _numbers(values: Integers, *, has_clock: bool) -> dict[str, Integers]:
    """Days, months, years, hours, minutes and seconds; of values beyond what dates have, any."""
    days, seconds = np.divmod(values, DAY) if has_clock else (values, np.zeros_like(values))
    days = np.clip(days, -(10**6), 4 * 10**6)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    since_1970 = months.astype(np.int64)
    hours = seconds // 3600
    years = since_1970 // 12
    numbers = {
        "d": days - months.astype("datetime64[D]").astype(np.int64) + 1,
        "m": since_1970 - 12 * years + 1,
        "Y": years + 1970,
        "H": hours % 100,
        "I": (hours - 1) % 12 + 1,
        "M": seconds // 60 % 60,
        "S": seconds % 60,
    }
    return {letter: number.astype(np.int32) for letter, number in numbers.items()}
