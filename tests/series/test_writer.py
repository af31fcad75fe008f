"""Tables to bytes: the bound that is kept everywhere, what is exact, and how small real recordings become."""

from __future__ import annotations

import hashlib
import io
import math
import os
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from series_models import as_table, dice, good_at_dice, saved, series
from series_tables import back, column, same_tables, table

from vqaudio.errors import SeriesError
from vqaudio.series import Column, MaxError, StoredTable, Table, compress, model_named, read_table
from vqaudio.series.cell_style import render_cells
from vqaudio.series.chunk import encode_chunk
from vqaudio.series.coding.model import Model
from vqaudio.series.encodings.select import encode
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.table import FLOATS, INTEGERS, NAN, NULL, VALUE

ROOT = Path(__file__).parents[2]


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
            found = [
                float(cell)
                for cell, is_known in zip(render_cells(after).to_pylist(), before.known, strict=True)
                if is_known
            ]
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


def test_constant_columns_are_nearly_free():
    columns = [np.full(10_000, value) for value in (0.1, 1 / 3, -7)]
    sizes = [len(compress(table(*columns * n), MaxError.parse("1%"))) for n in (1, 3)]
    assert sizes[1] - sizes[0] < 150


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


def test_a_table_without_rows_is_refused():
    with pytest.raises(SeriesError, match="no rows"):
        compress(table(np.zeros(0)))


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


@pytest.fixture
def series_folder(data_folder) -> Path:
    folder = data_folder / "timeseries"
    if not folder.is_dir():
        pytest.skip(f"no time series: {folder} is missing")
    return folder


def test_transformer_temperatures_at_one_percent(series_folder):
    """Beside zlib on the same grid: numbers of steps as int32, column by column."""
    raw = (series_folder / "ETTh1.csv").read_bytes()
    original = read_table(io.BytesIO(raw), "ETTh1.csv", suffix=".csv")
    data = compress(original, MaxError.parse("1%"))
    found = StoredTable(data).table()
    steps = []
    for before, after in zip(original.columns, found.columns, strict=True):
        if before.dtype != "float64":
            assert (before.values == after.values).all()
            continue
        bound = np.ptp(before.values) / 100
        assert np.abs(before.values - after.values).max() <= bound
        steps.append(np.rint(before.values / (2 * bound)).astype(np.int32))
    exact = compress(original, lossless=True)
    assert len(exact) < 212_000
    assert StoredTable(exact).table().columns[1].values.tobytes() == original.columns[1].values.tobytes()
    assert len(data) < 41_000
    assert len(data) < 0.7 * len(zlib.compress(np.stack(steps).tobytes(), 9))


def test_electrocardiogram(series_folder):
    """The last fifth of it at a PRD of 9 %, against 16 bits a sample; and all of it, without loss."""
    raw = (series_folder / "ecg208.csv").read_bytes()
    original = read_table(io.BytesIO(raw), "ecg208.csv", suffix=".csv")
    exact = compress(original)
    assert (StoredTable(exact).table().columns[0].values == original.columns[0].values).all()
    assert len(exact) < 60_000
    column = original.columns[0]
    column.values, column.cells = column.values[86_400:], column.cells[86_400:]
    column.texts = None
    data = compress(original, MaxError(0.0699))
    values, found = column.values, StoredTable(data).table().columns[0].values
    prd = 100 * math.sqrt(((values - found) ** 2).sum() / ((values - values.mean()) ** 2).sum())
    assert np.abs(values - found).max() <= 0.0699
    assert prd <= 9
    assert 2 * len(values) / len(data) > 16


def test_a_file_names_the_model_that_makes_it_smaller(tmp_path):
    one = model_named(str(good_at_dice(tmp_path / "dice.safetensors")))
    table = as_table(*map(dice, range(6)))
    data, plain = compress(table, model=one), compress(table, mixing=False)
    assert len(data) < len(plain) - 40
    stored = StoredTable(data, model=one)
    assert stored.model == one.fingerprint
    assert stored.suffix == ".npy"  # no need of the model
    found = stored.table()
    assert all((a.values == b.values).all() for a, b in zip(found.columns, table.columns, strict=True))
    assert {part.predictor for _, chunk in stored.chunks() for part in chunk.columns} == {"model"}


def test_a_model_that_makes_nothing_smaller_leaves_no_trace(tmp_path):
    one = model_named(str(saved(tmp_path / "bad.safetensors")))
    table = as_table(series(np.random.default_rng(0), 900), np.arange(900), np.zeros(900, int))
    assert compress(table, model=one) == compress(table, mixing=False)


def test_savings_below_the_size_of_its_name_are_not_worth_a_model(tmp_path):
    one = model_named(str(good_at_dice(tmp_path / "dice.safetensors")))
    table = as_table(dice()[:60])
    assert 0 < chunk_saving(table, one) <= 32
    assert compress(table, model=one) == compress(table, mixing=False)


def chunk_saving(table: Table, one: Model) -> int:
    encoded = [encode(column, ColumnPlan(), lossless=True, name="x") for column in table.columns]
    return encode_chunk(table, encoded, first_row=0, header_text=b"", model=one)[1]
