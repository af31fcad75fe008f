"""Random tables of all types there and back: to the bit, or each number within its bound in exact arithmetic."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from series_files import npy, through_csv, through_memory
from series_tables import back
from table_strategies import as_arrow, check_same, floats, integers, same_arrow, tables

from vqaudio.series import MaxError, Table, compress, read_table
from vqaudio.series.table import FLOATS, INTEGERS

ROOT = Path(__file__).parents[2]
BOUNDS = st.sampled_from(["1%", "0.1%", "30%", "0.004", "0.5", "1", "7", "1e-9", "1e6", "1e300"])
quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
thousand = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))


def check_exact(original: Table) -> None:
    before = [replace(column, values=column.values.copy(), cells=column.cells.copy()) for column in original.columns]
    check_same(before, back(compress(original, lossless=True)).columns)


def check_bounded(original: Table, text: str) -> None:
    restored = back(compress(original, MaxError.parse(text)))
    for before, after in zip(original.columns, restored.columns, strict=True):
        assert (before.name, before.dtype) == (after.name, after.dtype)
        assert (before.cells == after.cells).all()
        known, found = before.values[before.known].tolist(), after.values[after.known].tolist()
        if before.dtype not in FLOATS + INTEGERS:
            assert known == found
            continue
        assert all(map(math.isfinite, found))
        numbers = [Fraction(value) for value in known]
        bound = Fraction(float(text.rstrip("%")))
        if text.endswith("%"):
            bound = (max(numbers, default=0) - min(numbers, default=0)) * bound / 100 * Fraction(1 + 2**-50)
        assert all(abs(one - Fraction(other)) <= bound for one, other in zip(numbers, found, strict=True))


@given(tables())
@quick
def test_tables_come_back_to_the_bit(original):
    check_exact(original)


@pytest.mark.slow
@given(tables())
@thousand
def test_a_thousand_tables_come_back_to_the_bit(original):
    check_exact(original)


@given(tables(finite=True), BOUNDS)
@quick
def test_numbers_stay_within_their_bounds(original, text):
    check_bounded(original, text)


@pytest.mark.slow
@given(tables(finite=True), BOUNDS)
@thousand
def test_numbers_of_a_thousand_tables_stay_within_their_bounds(original, text):
    check_bounded(original, text)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("text", ["1%", "0.004", "lossless"])
def test_signalling_nans_among_floats_are_missing_numbers_like_others(dtype, text):
    """Processors may tell when such numbers are converted; users are not."""
    values = np.sin(np.arange(60) / 9).astype(dtype)
    bits = {"float16": 0x7C01, "float32": 0x7F800001, "float64": 0x7FF0000000000001}[dtype]
    values.view(f"u{values.itemsize}")[::7] = bits
    max_error = None if text == "lossless" else MaxError.parse(text)
    found = through_memory(npy(values[:, None]), ".npy", max_error=max_error)
    decoded = np.load(io.BytesIO(found))[:, 0]
    assert np.array_equal(np.isnan(decoded), np.arange(60) % 7 == 0)
    if text == "lossless":
        assert decoded.tobytes() == values.tobytes()
    known = ~np.isnan(values)
    assert np.abs(decoded[known].astype(float) - values[known]).max() <= {"1%": 0.02, "0.004": 0.004}.get(text, 0)


# --------------------------------------------------------------------------------------------------------------- files


def check_parquet(original: Table) -> None:
    file = io.BytesIO()
    pq.write_table(as_arrow(original), file)
    found, before = (pq.read_table(io.BytesIO(data)) for data in (through_memory(file.getvalue()), file.getvalue()))
    assert same_arrow(found, before)


def check_csv(original: Table) -> None:
    """What Arrow writes as CSV comes back to the byte, but for quotes without need, of which a remark tells."""
    file = io.BytesIO()
    pa.csv.write_csv(as_arrow(original), file)
    text = file.getvalue()
    read = read_table(io.BytesIO(text), "in.csv", suffix=".csv")
    found = through_csv(read)
    assert found == text or (read.remarks and _cells(found) == _cells(text)), read.remarks


def _cells(text: bytes) -> list[list[str]]:
    """The cells of a CSV; those of one column that are empty may stand as empty lines."""
    rows = list(csv.reader(io.StringIO(text.decode(), newline="")))
    return [row or [""] for row in rows]


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = draw(st.sampled_from(FLOATS + INTEGERS))
    rows, width = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    flat = draw(floats(rows * width, dtype, finite=False) if dtype in FLOATS else integers(rows * width, dtype))
    return flat.reshape(rows, width) if width > 1 else flat


def check_npy(array: np.ndarray) -> None:
    found = np.load(io.BytesIO(through_memory(npy(array), ".npy")))
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(tables())
@quick
def test_parquet_comes_back(original):
    check_parquet(original)


@given(tables())
@quick
def test_csv_comes_back(original):
    check_csv(original)


@given(arrays())
@quick
def test_arrays_come_back(array):
    check_npy(array)


@pytest.mark.slow
@given(tables())
@thousand
def test_a_thousand_parquet_files_come_back(original):
    check_parquet(original)


@pytest.mark.slow
@given(tables())
@thousand
def test_a_thousand_csv_files_come_back(original):
    check_csv(original)


@pytest.mark.slow
@given(arrays())
@thousand
def test_a_thousand_arrays_come_back(array):
    check_npy(array)


# --------------------------------------------------------------------------------------------------------- same bytes

MADE = """
import hashlib, numpy as np
from vqaudio.series import Column, MaxError, Table, compress
random = np.random.default_rng(np.random.PCG64(7))
cells = np.zeros(700, np.uint8)
walk = random.integers(-9, 10, (700, 2)).cumsum(0)
made = [Column("t", "timestamp[s]", np.arange(700) * 60, cells), Column("a", "float64", walk[:, 0] / 8, cells)]
made += [Column("b", "int16", walk[:, 1].astype(np.int16), cells)]
made += [Column("w", "string", random.choice(np.array(["on", "off", "é"], object), 700), cells)]
for bound in (None, MaxError.parse("1%")):
    print(hashlib.sha256(compress(Table(made, {"suffix": ".csv"}), bound)).hexdigest())
"""


def test_hash_seeds_do_not_change_a_byte():
    """Two processes that hash words differently write the same files."""
    said = set()
    for seed in ("1", "2"):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", MADE], env=variables, capture_output=True, check=True, timeout=120)
        said.add(run.stdout)
    assert len(said) == 1
    assert len(next(iter(said)).split()) == 2 == len(set(next(iter(said)).split()))
    assert len(next(iter(said)).split()[0]) == 2 * hashlib.sha256().digest_size
