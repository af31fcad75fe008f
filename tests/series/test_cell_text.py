"""Texts of numbers and times: the letters that Python and numpy write."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vqaudio.series import cell_text

EDGES = [0.0, -0.0, 1e-4, 9.999e-5, 1e10, 9999999999.5, 1e15, 1e16, 1e22, 0.5, 1.5, 2.5, -0.001, 5e-324, 1e300, np.inf]
FLOATS = st.floats(allow_nan=False) | st.integers(-(10**12), 10**12).map(lambda whole: whole / 1000)
STAMPS = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-(10**11), 10**11)
UNITS = ["D", "m", "s", "ms", "us", "ns"]


@given(st.lists(FLOATS, max_size=8), st.integers(0, 20))
@example(EDGES, 0)
@example(EDGES, 3)
@example(EDGES, 9)
@settings(deadline=None)
def test_floats_with_fixed_digits(numbers, digits):
    found = cell_text.of_floats(np.array(numbers, np.float64), digits=digits)
    assert found.to_pylist() == [f"{number:.{digits}f}" for number in numbers]


@given(st.lists(FLOATS, max_size=8))
@example(EDGES)
@settings(deadline=None)
def test_floats_as_python_writes_them(numbers):
    values = np.array(numbers, np.float64)
    assert cell_text.of_floats(values).to_pylist() == list(map(str, numbers))
    shorter = [str(number).removesuffix(".0") for number in numbers]
    assert cell_text.of_floats(values, short=True).to_pylist() == shorter


@pytest.mark.parametrize("width", [16, 32])
@given(data=st.data())
@settings(deadline=None)
def test_narrow_floats_are_read_back_as_the_same(width, data):
    some = data.draw(st.lists(st.floats(width=width, allow_nan=False), max_size=8))
    values = np.array([*some, 0.1, 1000, 65504, 1e-5], f"float{width}")
    texts = cell_text.of_floats(values)
    assert texts.to_pylist()[-4:-1] == ["0.1", "1000.0", {16: "65500.0", 32: "65504.0"}[width]]
    assert (cell_text.read_floats(texts).astype(values.dtype) == values).all()


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-1000, 1000), max_size=8), st.integers(0, 18))
@settings(deadline=None)
def test_decimals(wholes, scale):
    found = cell_text.of_decimals(np.array(wholes, np.int64), scale).to_pylist()
    as_texts = cell_text.of_decimals(np.array(list(map(str, wholes)), object), scale).to_pylist()
    assert found == as_texts
    assert [int(text.replace(".", "")) for text in found] == wholes
    assert all(len(text.partition(".")[2]) == scale for text in found)


@given(st.lists(STAMPS, max_size=6), st.sampled_from(UNITS[2:]), st.sampled_from(UNITS))
@settings(deadline=None)
def test_stamps_as_numpy_writes_them(numbers, unit, shown):
    values = np.array(numbers, np.int64)
    found = cell_text.of_times(values, f"timestamp[{unit}]", shown=shown, between="T", end="Z")
    expected = np.datetime_as_string(values.view(f"datetime64[{unit}]"), shown)
    assert found.to_pylist() == [text + "Z" for text in expected.tolist()]


def test_dates_and_hours():
    days, hours = np.array([0, -1, 19000, 10**7]), np.array([0, 86399, 3600])
    assert cell_text.of_times(days, "date32", shown=None, between=" ", end="").to_pylist() == [
        *("1970-01-01", "1969-12-31", "2022-01-08"),
        str(np.datetime64(10**7, "D")),
    ]
    assert cell_text.of_times(hours, "time32[s]", shown=None, between=" ", end="").to_pylist() == [
        *("00:00:00", "23:59:59", "01:00:00")
    ]
    assert cell_text.of_times(hours, "time32[s]", shown="m", between=" ", end="").to_pylist() == [
        *("00:00", "23:59", "01:00")
    ]


def test_some_rows_have_other_texts():
    texts = pa.array(["a", "b", "c"])
    assert cell_text.replaced(texts, {2: "z", 0: "x"}).to_pylist() == ["x", "b", "z"]
    assert cell_text.replaced(texts, {}) is texts
