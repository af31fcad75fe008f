"""Tables to bytes and back: the bound that is kept everywhere, what is exact, what is refused, and damage."""

from __future__ import annotations

import hashlib
import io
import math
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vqaudio.errors import ContainerError, SeriesError
from vqaudio.series import Column, MaxError, StoredTable, Table, compress, write_table, writer
from vqaudio.series.cell_style import render_cells
from vqaudio.series.encodings.bounds import within
from vqaudio.series.encodings.grid import GridEncoding, find_grid
from vqaudio.series.header import TableHeader
from vqaudio.series.prediction.fitting import MOST_COMPARED, reference_columns
from vqaudio.series.table import FLOATS, INTEGERS, NAN, NULL, VALUE, Dictionary, known_cells

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parents[1] / "golden"


def column(values: object, name: str = "x", dtype: str | None = None) -> Column:
    array, cells = known_cells(np.asarray(values, dtype))
    return Column(name, array.dtype.name if array.dtype != object else "string", array, cells)


def table(*columns: object) -> Table:
    made = [one if isinstance(one, Column) else column(one, f"c{i}") for i, one in enumerate(columns)]
    return Table(made, {"suffix": ".csv"})


def back(data: bytes) -> Table:
    stored = StoredTable(data)
    found = stored.table()
    assert stored.damage == []
    return found


def same_tables(one: Table, other: Table) -> bool:
    return len(one.columns) == len(other.columns) and all(
        (a.name, a.dtype, a.zone, a.notes) == (b.name, b.dtype, b.zone, b.notes)
        and (a.cells == b.cells).all()
        and a.values.dtype == b.values.dtype
        and a.values[a.known].tolist() == b.values[b.known].tolist()
        for a, b in zip(one.columns, other.columns, strict=True)
    )


# ---------------------------------------------------------------------------------------------------------- the bound

SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1e300, 0.1, 1e-9]


@st.composite
def columns_of_floats(draw: st.DrawFn, rows: int) -> np.ndarray:
    seed, scale = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([1e-300, 1e-6, 1.0, 1e4, 1e15, 1e300]))
    random = np.random.default_rng(seed)
    values = {
        "noise": lambda: random.normal(0, scale, rows),
        "walk": lambda: random.normal(0, scale, rows).cumsum(),
        "decimals": lambda: np.round(random.normal(0, 10, rows), draw(st.integers(0, 4))),
        "constant": lambda: np.full(rows, scale),
        "ramp": lambda: np.arange(rows) * scale,
        "bits": lambda: random.integers(0, 2**64, rows, np.uint64).view(np.float64),
    }[draw(st.sampled_from(["noise", "walk", "decimals", "constant", "ramp", "bits"]))]()
    values = np.where(np.isinf(values), 1.0, values)
    for at, value in draw(st.lists(st.tuples(st.integers(0, rows - 1), st.sampled_from([*SPECIAL, np.nan])))):
        values[at] = value
    if draw(st.booleans()):
        with np.errstate(over="ignore", invalid="ignore"):
            narrow = values.astype(np.float32)
        values = np.where(np.isinf(narrow), np.float32(3e38), narrow)
    return values


@st.composite
def tables(draw: st.DrawFn) -> Table:
    rows = draw(st.one_of(st.just(1), st.integers(2, 90)))
    made = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["float", "float", "integer", "bool", "string", "stamp"]))
        seed = draw(st.integers(0, 2**32 - 1))
        random = np.random.default_rng(seed)
        if kind == "float":
            values: np.ndarray = draw(columns_of_floats(rows))
        elif kind == "integer":
            limits = np.iinfo(draw(st.sampled_from(INTEGERS)))
            low, high = draw(st.sampled_from([(limits.min, limits.max), (0, 100), (limits.max - 5, limits.max)]))
            values = random.integers(low, high, rows, limits.dtype, endpoint=True)
        else:
            values = random.integers(0, 2, rows).astype(bool)
        one = column(values, f"c{number}")
        if kind == "string":
            one = Column("s", "string", random.choice(np.array(["a", "b,c", ""], object), rows), one.cells)
        if kind == "stamp":
            one = Column("t", "timestamp[ms]", random.integers(-(10**12), 10**12, rows), one.cells)
        if draw(st.booleans()) and kind != "float":
            one.cells = random.choice(np.array([VALUE, NULL], np.uint8), rows)
            one.values = np.where(one.known, one.values, "" if kind == "string" else np.zeros(1, one.values.dtype))
        made.append(one)
    return table(*made)


BOUNDS = st.one_of(
    st.sampled_from(["1%", "0.1%", "50%", "0.01", "0.005", "1", "5", "1e-320", "5e-324", "1e300", "1.7e308", "1e-12"]),
    st.floats(1e-9, 1e9).map(str),
)


def check_bound(original: Table, text: str) -> None:
    restored = back(compress(original, MaxError.parse(text)))
    for before, after in zip(original.columns, restored.columns, strict=True):
        assert (before.cells == after.cells).all()
        known = before.values[before.known].tolist()
        found = after.values[after.known].tolist()
        if before.dtype not in FLOATS + INTEGERS:
            assert known == found
            continue
        if before.values.dtype == np.float64:  # what a program reads from the CSV counts, too
            found = [float(cell) for cell, is_known in zip(render_cells(after), before.known, strict=True) if is_known]
        numbers = [Fraction(value) for value in known]
        bound = Fraction(float(text.rstrip("%")))
        if text.endswith("%"):
            bound = (max(numbers, default=0) - min(numbers, default=0)) * bound / 100 * Fraction(1 + 2**-50)
        assert all(abs(one - Fraction(other)) <= bound for one, other in zip(numbers, found, strict=True))


@given(tables(), BOUNDS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_is_further_off_than_it_may(original, text):
    check_bound(original, text)


@pytest.mark.slow
@given(tables(), BOUNDS)
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_value_of_a_thousand_tables_is_further_off_than_it_may(original, text):
    check_bound(original, text)


@given(tables())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_lossless_is_exact_to_the_bit(original):
    restored = back(compress(original, lossless=True))
    assert same_tables(original, restored)
    for before, after in zip(original.columns, restored.columns, strict=True):
        if before.dtype in FLOATS:
            assert (before.values.tobytes() == after.values.tobytes()) or (before.cells != VALUE).any()


def test_decimals_on_the_bound_itself_do_not_become_literals():
    """At a bound of 0.01, half of all values with two digits lie just between two steps of 0.02."""
    values = np.round(np.random.default_rng(0).normal(0, 3, 5000), 2)
    data = compress(table(values), MaxError(0.01))
    assert np.abs(back(data).columns[0].values - values).max() <= 0.01
    assert len(data) < 6200  # noise: 9.3 bits a value; a literal takes 64


def test_the_exact_difference_decides_where_the_rounded_one_cannot():
    # 0.07 - 0.06 as floats is more than 0.01, 0.03 - 0.02 is less; both differ by 0.01 in rounded arithmetic or nearly.
    pairs = [(0.07, 0.06), (0.03, 0.02), (1e300, 1e300 + 1e284), (1.0, 1.0 + 2**-52), (1e308, -1e308)]
    for one, other in pairs:
        for bound in (0.01, abs(one - other), 2**-52):
            if np.isfinite(bound):
                wanted = abs(Fraction(one) - Fraction(other)) <= Fraction(bound)
                assert within(np.array([one]), np.array([other]), bound)[0] == wanted


@pytest.mark.parametrize(
    ("values", "bound", "largest"),
    [
        (np.arange(-100, 100), 2, 2),
        (np.array([-128, 127, 0, 5], np.int8), 100, 100),
        (np.array([2**63, 2**64 - 1, 2**63 + 5], np.uint64), 2**40, 2**40),
        (np.arange(0, 1000, 10), 4.9, 0),
    ],
)
def test_integers_stay_integers_within_the_bound(values, bound, largest):
    found = back(compress(table([0.5] * len(values), values), MaxError(bound))).columns[1]
    assert found.values.dtype == values.dtype
    assert max(abs(int(a) - int(b)) for a, b in zip(found.values, values, strict=True)) <= largest


# ------------------------------------------------------------------------------------------------------ what is exact


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.array([0.25, 0.5, 1.75]), GridEncoding(100.0, True, 25, 25)),
        (np.array([3.0, 5.0, 11.0]), GridEncoding(1.0, True, 2, 3)),
        (np.arange(5000) / 360, GridEncoding(360.0, True)),
        (np.arange(5000) * 0.1, GridEncoding(0.1, False)),
        (np.array([0.1, 0.2, 0.7], np.float32), GridEncoding(10.0, True, 1, 1)),
        (np.random.default_rng(0).normal(size=500), None),
        (np.array([1e300, 1.5]), None),
    ],
)
def test_the_grid_that_values_lie_on_is_found(values, found):
    assert find_grid(values) == found


def test_decimals_that_rounding_has_moved_are_exact_and_take_little():
    decimals = np.round(np.random.default_rng(0).normal(0, 5, 3000), 2)
    for moved in (
        decimals.astype(np.float32).astype(float),
        (decimals + 0.1) - 0.1,
        np.float32(decimals) * np.float32(1),
    ):
        odd = moved.copy()
        odd[::500] = np.pi
        for values in (moved, odd):
            data = compress(table(values), lossless=True)
            assert back(data).columns[0].values.tobytes() == values.tobytes()
            assert len(data) < 6000  # noise: 10 bits a value for the decimals alone


def clock(rows: int) -> Column:
    return Column("when", "timestamp[s]", np.arange(rows) * 3600 + 1_467_331_200, np.zeros(rows, np.uint8))


@pytest.mark.parametrize("first", [clock(5000), column(np.arange(5000) / 360, "t"), column(np.arange(5000), "n")])
def test_a_clock_is_exact_and_costs_next_to_nothing(first):
    values = np.random.default_rng(0).normal(size=5000)
    with_clock, without = (compress(table(*c), MaxError(0.1)) for c in ([first, column(values)], [values]))
    assert (back(with_clock).columns[0].values == first.values).all()
    assert len(with_clock) < len(without) + 80


def test_an_irregular_clock_is_exact_under_a_name_for_time():
    stamps = np.random.default_rng(0).exponential(1.0, 300).cumsum()
    for name, exact in (("time (s)", True), ("depth", False)):
        found = back(compress(table(column(stamps, name), stamps), MaxError(0.5)))
        assert (found.columns[0].values == stamps).all() == exact
        assert np.abs(found.columns[0].values - stamps).max() <= 0.5


def test_constant_columns_are_nearly_free():
    columns = [np.full(10_000, value) for value in (0.1, 1 / 3, -7)]
    sizes = [len(compress(table(*columns * n), MaxError.parse("1%"))) for n in (1, 3)]
    assert sizes[1] - sizes[0] < 150


def test_what_is_often_zero_stays_zero():
    """Nights without light stay dark, even where another grid would be calmer."""
    light = np.round(np.maximum(0, 700 * np.sin(np.arange(2000) / 60)) + 0.0, 1)
    found = back(compress(table(light), MaxError(0.01, relative=True))).columns[0]
    assert (found.values[light == 0] == 0).all()
    assert np.abs(found.values - light).max() <= 7


def test_columns_of_very_different_scale():
    random = np.random.default_rng(0)
    columns = [random.normal(0, scale, 500) for scale in (1e-12, 1.0, 1e12)]
    found = back(compress(table(*columns), MaxError.parse("1%")))
    for before, after in zip(columns, found.columns, strict=True):
        assert 0 < np.abs(before - after.values).max() <= np.ptp(before) / 100


def test_gaps_of_both_kinds_come_back_as_such():
    one = column(np.sin(np.arange(3000) / 9))
    one.cells[500:1500], one.cells[7], one.cells[2999] = NULL, NAN, NAN
    one.values[one.cells != VALUE] = 0
    found = back(compress(table(one), MaxError(0.01))).columns[0]
    assert (found.cells == one.cells).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_with_row_and_column(value):
    values = np.array([np.nan, 1.0, 2.0, value])
    with pytest.raises(SeriesError, match=r"t\.csv: row 4 of column 'c1' holds -?inf"):
        compress(table([1, 2, 3, 4], values), MaxError(1.0), name="t.csv")


def test_without_options_integers_and_decimals_are_exact_and_other_floats_refused():
    fine = table([1, 2, 5], [0.25, 0.5, 7.125], [True, False, True], ["a", "b", "a"])
    fine.columns[3] = Column("s", "string", np.array(["a", "b", "a"], object), np.zeros(3, np.uint8))
    assert same_tables(fine, back(compress(fine)))
    noise = table(np.random.default_rng(0).normal(size=50))
    with pytest.raises(SeriesError, match=r"'c0' holds floats without a fixed number of digits: .*--max-error 1%"):
        compress(noise)
    assert same_tables(noise, back(compress(noise, lossless=True)))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1%%", "x", "", "%"])
def test_bounds_that_are_none_are_refused(text):
    with pytest.raises(SeriesError, match="expected a number above 0"):
        MaxError.parse(text)


def test_a_table_without_rows_is_refused():
    with pytest.raises(SeriesError, match="no rows"):
        compress(table(np.zeros(0)))


# ------------------------------------------------------------------------------------------------------------- damage


@pytest.fixture
def _short_chunks(monkeypatch):
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 1000)


def long_table(rows: int = 2500) -> Table:
    values = np.rint(100 * np.sin(np.arange(rows) / 50)) / 100
    return table(clock(rows), values, np.arange(rows) % 7)


@pytest.mark.usefixtures("_short_chunks")
def test_a_damaged_chunk_is_reported_and_its_rows_are_gaps():
    original = long_table()
    data = compress(original)
    stored = StoredTable(data)
    sizes = stored.header.sizes
    assert len(sizes) == 3
    broken = bytearray(data)
    broken[-sizes[2] - sizes[1] // 2] ^= 1
    stored = StoredTable(bytes(broken))
    found = stored.table()
    lost = slice(1000, 2000)
    (damage,) = stored.damage
    assert str(damage) == "chunk 1 (rows 1001 to 2000 are lost): its checksum does not match its bytes"
    for before, after in zip(original.columns, found.columns, strict=True):
        assert (after.cells[lost] == NULL).all()
        kept = after.cells == VALUE
        assert kept.sum() == 1500
        assert (after.values[kept] == before.values[kept]).all()


@pytest.mark.usefixtures("_short_chunks")
def test_a_file_that_was_cut_off_loses_its_end_alone():
    data = compress(long_table())
    stored = StoredTable(data[:-1])
    assert (stored.table().columns[0].cells == VALUE).sum() == 2000
    assert len(stored.damage) == 1
    longer = StoredTable(data + b"x")
    longer.table()
    assert list(map(str, longer.damage)) == ["1 bytes follow the last chunk"]


def test_no_flipped_bit_passes_unnoticed():
    original = table([1, 2, 4, 8], [0.5, 0.25, np.nan, 3.0])
    data = compress(original)
    for at in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[at] ^= 1 << bit
            try:
                stored = StoredTable(bytes(broken))
            except ContainerError:
                continue
            stored.table()
            assert stored.damage


def test_what_is_no_table_is_named():
    data = compress(table([1, 2]))
    with pytest.raises(ContainerError, match=r"f\.vq: holds no table"):
        StoredTable(b"\x8aVQ\x01" + data[4:], "f.vq")
    with pytest.raises(ContainerError, match="the header is damaged"):
        StoredTable(data[:20])


def test_headers_that_describe_no_table_are_refused():
    for about in ({}, {"dtype": "object"}, {"way": ["code", {}]}, {"way": ["grid", {"size": 1}]}, {"stored": "V8"}):
        whole = {"name": "x", "dtype": "float64", "stored": "float64", "way": ["bits", {}]} | about
        meta = {"origin": {"suffix": ".csv"}, "columns": [whole if about else {}]}
        with pytest.raises(ContainerError, match="the header describes no table"):
            StoredTable(TableHeader(0, 1, meta).to_bytes())


def test_many_columns():
    random = np.random.default_rng(0)
    shared = random.normal(0, 1, 120).cumsum()
    columns = [np.round(shared * random.normal() + random.normal(0, 0.1, 120), 2) for _ in range(150)]
    original = table(*columns)
    assert same_tables(original, back(compress(original)))


def test_what_a_table_takes_grows_with_its_columns_not_with_their_square():
    def seconds(n_columns: int) -> float:
        original = table(*(np.array([number, 2 * number, 5]) / 4 for number in range(n_columns)))
        started = time.process_time()
        assert same_tables(original, back(compress(original)))
        return time.process_time() - started

    seconds(10)
    few, many = min(seconds(250) for _ in range(3)), seconds(2000)
    assert many < 16 * few  # 8 in proportion; 64 if it were the square


def test_other_columns_are_sought_among_the_last_ones():
    random = np.random.default_rng(0)
    alike = random.integers(-9, 10, 400).cumsum()
    columns = [random.integers(-9, 10, 400).cumsum() for _ in range(MOST_COMPARED)]
    found = [
        reference_columns(alike + 5, [*columns[:before], alike, *columns[before:]]) for before in (0, 1, MOST_COMPARED)
    ]
    assert [before in references for before, references in zip((0, 1, MOST_COMPARED), found, strict=True)] == [
        False,
        True,
        True,
    ]


# -------------------------------------------------------------------------------------------------------- determinism


def test_a_file_of_yore_reads_as_it_did():
    """Two chunks with times, floats, integers, words, gaps and literals; writers may well make a smaller one."""
    stored = StoredTable((GOLDEN / "table.vq").read_bytes())
    file = io.BytesIO()
    write_table(stored.table(), file, name="table.csv", suffix=".csv")
    assert stored.damage == []
    assert file.getvalue() == (GOLDEN / "table.csv").read_bytes()


def test_a_file_with_later_keys_reads_as_it_did():
    """A dialect of CSV, decimals, bytes and a dictionary (``golden/make_fields.py``)."""
    stored, file = StoredTable((GOLDEN / "fields.vq").read_bytes()), io.BytesIO()
    write_table(stored.table(), file, name="fields.csv", suffix=".csv")
    assert file.getvalue() == (GOLDEN / "fields.csv").read_bytes()
    types = StoredTable((GOLDEN / "types.vq").read_bytes()).table()
    made = [(one.name, one.dtype, one.nullable, one.dictionary, one.values.tolist()) for one in types.columns]
    words = Dictionary("int8", True, ("low", "never", "high"))
    assert made == [
        ("price", "decimal128(10, 2)", True, None, [125, 0, -5]),
        ("wide", "decimal128(38, 1)", False, None, [str(10**30), "-1", "0"]),
        ("raw", "fixed_size_binary[2]", True, None, ["\x00\xff", "", "ab"]),
        ("kind", "string", True, words, ["high", "low", ""]),
        ("odd", "float32", True, None, [math.inf, 1.5, 0.0]),
    ]


MADE = """
import hashlib, numpy as np
from vqaudio.series import Column, MaxError, Table, compress
random = np.random.default_rng(np.random.PCG64(5))
walk = random.integers(-9, 10, (3000, 3)).cumsum(0) / 8
walk[:, 1] += walk[:, 0]
columns = [Column(str(i), "float64", walk[:, i].copy(), np.zeros(3000, np.uint8)) for i in range(3)]
print(hashlib.sha256(compress(Table(columns, {"suffix": ".csv"}), MaxError.parse("1%"))).hexdigest())
"""


def made(environment: dict[str, str]) -> str:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", MADE], env=variables, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    "environment",
    [
        {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"},
        {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3"},
    ],
)
def test_the_same_bytes_on_every_machine(environment):
    found = made({})
    assert len(found) == len(hashlib.sha256().hexdigest())
    assert made(environment) == found
