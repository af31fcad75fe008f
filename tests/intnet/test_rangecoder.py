"""The range coder: exact round trips, as short as the intervals allow, and no longer than another coder's."""

from __future__ import annotations

import time
from collections.abc import Sequence

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vqaudio.intnet.intervals import TOTAL, Integers, bits_of, frequencies_of
from vqaudio.intnet.rangecoder import PRECISION, Decoder, Encoder

HALF = TOTAL // 2
LARGEST_ALPHABET = 65536
# The fewest digits, base 256, of a number in the interval: [1/2, 1) has 0.80, and so on.
BY_HAND = {
    b"": [],
    b"\x80": [(HALF, HALF)],
    b"\x40": [(TOTAL // 4, TOTAL // 4)],
    b"\xc0": [(HALF, HALF), (HALF, HALF)],
    b"\xab\xcd": [(0xA0000, 1 << 16), (0xB0000, 1 << 16), (0xC0000, 1 << 16), (0xD0000, 1 << 16)],
    b"\xff" * 5: [(TOTAL - 1, 1), (TOTAL - 1, 1)],
}


class Table:
    """A distribution by its frequencies, with what coding asks of it."""

    def __init__(self, frequencies: Integers):
        self.frequencies, self.ends = frequencies, frequencies.cumsum()

    def interval(self, symbol: int) -> tuple[int, int]:
        return int(self.ends[symbol] - self.frequencies[symbol]), int(self.frequencies[symbol])

    def symbol_at(self, place: int) -> int:
        return int(np.searchsorted(self.ends, place, side="right"))


def intervals(symbols: Sequence[int], tables: Sequence[Table]) -> list[tuple[int, int]]:
    return [table.interval(symbol) for symbol, table in zip(symbols, tables, strict=True)]


def encoded(intervals: Sequence[tuple[int, int]]) -> bytes:
    encoder = Encoder()
    for start, frequency in intervals:
        encoder.encode(start, frequency)
    return encoder.finish()


def decoded(data: bytes, tables: Sequence[Table]) -> list[int]:
    """One symbol for each table."""
    decoder, found = Decoder(data), []
    for table in tables:
        found.append(table.symbol_at(decoder.place()))
        decoder.take(*table.interval(found[-1]))
    return found


def equal(alphabet: int) -> Table:
    return Table(frequencies_of(np.ones(alphabet, np.int64)))


def nearly_all(alphabet: int, likely: int) -> Table:
    """All frequencies are 1, but for one symbol."""
    frequencies = np.ones(alphabet, np.int64)
    frequencies[likely] = TOTAL - alphabet + 1
    return Table(frequencies)


TABLES = {
    "all equal": equal(16),
    "first of two": nearly_all(2, 0),
    "last of two": nearly_all(2, 1),
    "first of 1000": nearly_all(1000, 0),
    "middle of 1000": nearly_all(1000, 500),
    "last of 1000": nearly_all(1000, 999),
    "largest alphabet": equal(LARGEST_ALPHABET),
    "first of the largest alphabet": nearly_all(LARGEST_ALPHABET, 0),
    "last of the largest alphabet": nearly_all(LARGEST_ALPHABET, LARGEST_ALPHABET - 1),
}
WEIGHTS = st.lists(st.integers(0, 2**24), min_size=2, max_size=12).filter(any)
ANY_TABLE = st.sampled_from(list(TABLES.values())) | WEIGHTS.map(lambda one: Table(frequencies_of(np.array(one))))


@st.composite
def messages(draw: st.DrawFn, most: int = 40) -> tuple[list[int], list[Table]]:
    """Symbols, each with the table that it is coded by."""
    kinds = draw(st.lists(ANY_TABLE, min_size=1, max_size=4))
    chosen = draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(-2, LARGEST_ALPHABET)), max_size=most))
    return [number % len(table.frequencies) for table, number in chosen], [table for table, _ in chosen]


# -------------------------------------------------------------------------------------------------------- round trips


@settings(max_examples=100, deadline=None)
@given(messages())
def test_what_was_encoded_is_decoded_and_is_no_longer_than_its_bits(message):
    symbols, tables = message
    pairs = intervals(symbols, tables)
    data = encoded(pairs)
    assert decoded(data, tables) == symbols
    bits = sum(PRECISION - np.log2(frequency) for _, frequency in pairs)
    assert len(data) <= bits / 8 + 1 + 1e-6 * len(pairs)  # the range is cut to whole steps, by 2**-20 at most
    assert not data.endswith(b"\0")


@pytest.mark.parametrize("name", TABLES)
def test_edges_of_every_table_come_back(name):
    table = TABLES[name]
    edges = sorted({0, 1, int(table.frequencies.argmax()), len(table.frequencies) - 2, len(table.frequencies) - 1})
    symbols = [symbol for symbol in edges for _ in range(9)] + edges * 9
    tables = [table] * len(symbols)
    assert decoded(encoded(intervals(symbols, tables)), tables) == symbols


@pytest.mark.parametrize("symbol", [0, 1, 2])
def test_what_is_nearly_certain_costs_nearly_nothing(symbol):
    tables = [nearly_all(3, symbol)] * 3000
    data = encoded(intervals([symbol] * len(tables), tables))
    assert len(data) <= 1
    assert decoded(data, tables) == [symbol] * len(tables)


@pytest.mark.parametrize("expected", BY_HAND)
def test_bytes_worked_by_hand(expected):
    assert encoded(BY_HAND[expected]) == expected


def test_golden_bytes():
    random = np.random.Philox(key=1)
    tables = [equal(16), nearly_all(1000, 500), Table(frequencies_of(np.arange(1, 40))), equal(LARGEST_ALPHABET)] * 5
    symbols = [int(random.random_raw()) % len(table.frequencies) for table in tables]
    data = bytes.fromhex("f000ff353af29983b18bf8219f25aca084e6e531d306684b5494d08f")
    assert encoded(intervals(symbols, tables)) == data
    assert decoded(data, tables) == symbols


def test_nothing_is_no_bytes():
    assert encoded([]) == b""
    assert decoded(b"", []) == []


@pytest.mark.parametrize("run", [1, 2, 3, 20])
def test_a_carry_runs_through_bytes_that_are_full(run):
    """Intervals around the middle stay undecided between 7F FF ... and 80 00 ...: the last symbol decides."""
    undecided = [(HALF - 1, 2)] * run
    tables = [Table(np.array([HALF - 1, 2, HALF - 1]))] * run + [equal(2)]
    below, above = encoded([*undecided, (0, HALF)]), encoded([*undecided, (HALF, HALF)])
    assert above == b"\x80"  # the full bytes became zeros, and the one before them one more
    assert below[0] == 0x7F
    assert set(below[1:-1]) == {0xFF}
    assert len(below) >= 19 * run // 8
    assert decoded(below, tables) == [1] * run + [0]
    assert decoded(above, tables) == [1] * run + [1]


@settings(max_examples=60, deadline=None)
@given(messages(most=4))
def test_no_fewer_bytes_would_do(message):
    symbols, tables = message
    data = encoded(intervals(symbols, tables))
    if 0 < len(data) <= 2:  # few enough to try all that are a byte shorter
        shorter = [bytes([value]) for value in range(256)] if len(data) == 2 else [b""]
        assert all(decoded(other, tables) != symbols for other in shorter)


# ------------------------------------------------------------------------------------------------------------- damage


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.lists(st.sampled_from(list(TABLES.values())), max_size=60))
def test_any_bytes_decode_to_some_symbols(data, tables):
    symbols = decoded(data, tables)
    assert all(0 <= symbol < len(table.frequencies) for symbol, table in zip(symbols, tables, strict=True))


def test_damage_changes_symbols_but_takes_no_longer():
    random = np.random.default_rng(0)
    table = Table(frequencies_of(random.integers(0, 1000, 50)))
    tables = [table] * 1000
    symbols = [table.symbol_at(place) for place in random.integers(0, TOTAL, len(tables))]
    data = encoded(intervals(symbols, tables))
    begun = time.process_time()
    for length in (0, 1, len(data) // 2, len(data) - 1):
        assert decoded(data[:length], tables) != symbols
    for at in random.integers(0, len(data), 10):
        spoilt = bytearray(data)
        spoilt[at] ^= 0x10
        found = decoded(bytes(spoilt), tables)
        assert found != symbols
        assert found[: at // 2] == symbols[: at // 2]  # what came before the damage, at less than two bytes each
    assert time.process_time() - begun < 10  # far less than a second: how long it takes does not depend on the bytes


# ----------------------------------------------------------------------------------------- beside another range coder


def weights_for_constriction(frequencies: Integers) -> NDArray[np.float64]:
    """Weights ``(..., alphabet)`` from which ``Categorical(perfect=False)`` makes these frequencies, of 2**24 in all.

    It gives 1 to each symbol and shares out the rest in proportion: without rounding if weights add up to that rest.
    """
    return np.ascontiguousarray((frequencies << 24 - PRECISION) - 1, dtype=np.float64)


@pytest.mark.parametrize("alphabet", [2, 50, 1024])
def test_as_short_as_constriction(alphabet):
    random = np.random.default_rng(alphabet)
    tables = [Table(frequencies_of(random.integers(0, 1000, alphabet) ** 2)) for _ in range(400)]
    symbols = [table.symbol_at(int(random.integers(TOTAL))) for table in tables]
    pairs = intervals(symbols, tables)
    data = encoded(pairs)
    assert decoded(data, tables) == symbols
    assert abs(len(data) - bits_of(np.array(pairs)[:, 1]).sum() / 8) <= 2

    family = constriction.stream.model.Categorical(perfect=False)
    weights = weights_for_constriction(np.stack([table.frequencies for table in tables]))
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(np.array(symbols, np.int32), family, weights)
    words = encoder.get_compressed()
    assert constriction.stream.queue.RangeDecoder(words).decode(family, weights).tolist() == symbols
    assert 0 <= words.nbytes - len(data) <= 8  # it writes words of 4 bytes


def test_as_short_as_constriction_where_almost_nothing_is_said():
    table = nearly_all(1000, 7)
    symbols = [7] * 3000 + [999] + [7] * 3000 + [0]
    data = encoded(intervals(symbols, [table] * len(symbols)))
    model = constriction.stream.model.Categorical(weights_for_constriction(table.frequencies), perfect=False)
    encoder = constriction.stream.queue.RangeEncoder()
    encoder.encode(np.array(symbols, np.int32), model)
    assert 0 <= encoder.get_compressed().nbytes - len(data) <= 8
    assert len(data) <= 2 * PRECISION / 8 + 1 + len(symbols) * np.log2(TOTAL / table.frequencies[7]) / 8
