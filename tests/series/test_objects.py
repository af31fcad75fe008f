"""Tables of other libraries to ours and back."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from vqaudio import compress_table, decompress_table
from vqaudio.errors import SeriesError
from vqaudio.series import Table
from vqaudio.series.objects import convert_table, table_of

TIMES = [datetime.datetime(2020, 1, day, 12) for day in (1, 2, 3)]


def through(data: object, to: str) -> object:
    return decompress_table(compress_table(data, model="none"), to=to)


def arrow_table() -> pa.Table:
    schema = pa.schema(
        [
            pa.field("x", pa.int16(), metadata={"unit": "mV"}),
            pa.field("y", pa.float32(), nullable=False),
            ("s", pa.utf8()),
        ],
        metadata={"rig": "left"},
    )
    return pa.table([pa.array([1, None, 3], pa.int16()), [0.1, 0.25, 2.0], ["a", None, ""]], schema=schema)


class OnlyStream:
    def __init__(self, of: object):
        self._of = of

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._of.__arrow_c_stream__(requested_schema)


class OnlyArray:
    def __init__(self, of: object):
        self._of = of

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._of.__arrow_c_array__(requested_schema)


@pytest.mark.parametrize(
    "of",
    [
        lambda table: table,
        lambda table: table.to_batches()[0],
        lambda table: table.to_reader(),
        OnlyStream,
        lambda table: OnlyArray(table.to_batches()[0]),
    ],
    ids=["table", "batch", "reader", "stream", "array"],
)
def test_arrow_in_every_shape_comes_back_with_its_schema(of):
    table = arrow_table()
    found = through(of(table), "arrow")
    assert found.equals(table)
    assert found.schema.equals(table.schema, check_metadata=True)


def test_what_is_decoded_hands_itself_over_to_arrow():
    found = decompress_table(compress_table(arrow_table()))
    assert isinstance(found, Table)
    assert pa.table(found).equals(arrow_table())


@pytest.mark.parametrize("kind", ["rows", "named", "times"])
def test_pandas_comes_back_with_its_index_and_types(kind):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    index = {
        "rows": None,
        "named": pandas.Index([5, 7, 9], name="k"),
        "times": pandas.date_range("2020", periods=3, freq="h", tz="Europe/Berlin"),
    }[kind]
    frame = pandas.DataFrame(
        {
            "a": [1.5, 2.25, np.nan],
            "b": np.random.default_rng(0).normal(size=3),
            "c": ["x", None, "z"],
            "d": pandas.to_datetime(TIMES),
            "e": pandas.Categorical(["u", "v", "u"]),
        },
        index=index,
    )
    pandas.testing.assert_frame_equal(through(frame, "pandas"), frame, check_freq=False)
    numbered = pandas.DataFrame(np.eye(3), index=index)
    pandas.testing.assert_frame_equal(through(numbered, "pandas"), numbered, check_freq=False)
    assert through(frame["a"], "pandas").columns.tolist() == ["a"]


def test_polars_comes_back_with_its_types():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame(
        {
            "a": [1.5, None, float("nan")],
            "b": [1, 2, None],
            "s": ["x", None, "z"],
            "t": TIMES,
            "c": polars.Series(["u", "v", "u"], dtype=polars.Categorical),
            "e": polars.Series(["u", "v", "u"], dtype=polars.Enum(["u", "v"])),
            "d": [Decimal("1.25")] * 3,
        }
    )
    found = through(frame, "polars")
    assert found.equals(frame, null_equal=True)
    assert found.schema == frame.schema
    assert polars.DataFrame(decompress_table(compress_table(frame))).equals(frame, null_equal=True)
    assert through(frame["b"], "polars")["b"].equals(frame["b"], null_equal=True)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5),
        np.random.default_rng(0).normal(size=(30, 3)),
        np.arange(12, dtype="u1").reshape(4, 3).T,
        np.array([(1, 2.5), (3, 4.5)], [("a", "i4"), ("b", "f4")]),
        np.arange(4, dtype=">i2"),
        np.array(["a", "b"]),
        np.array(["2020-01-01T00:00:00", "2020-01-02T00:00:00"], "M8[s]"),
        np.array([1, 0, -0.0, np.inf, np.nan]),
        np.array([True, False]),
    ],
    ids=lambda array: f"{array.dtype.kind}{array.ndim}",
)
def test_numpy_comes_back_in_its_shape(array):
    found = through(array, "numpy")
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(found, array, equal_nan=array.dtype.kind == "f")
    assert array.dtype.kind != "f" or np.array_equal(np.signbit(found), np.signbit(array))


def test_dicts_have_arrays_of_one_dimension_or_two():
    data = {"a": [1, 2], "m": np.arange(4.0).reshape(2, 2), "s": np.array(["x", "y"])}
    found = through(data, "dict")
    assert {key: (array.dtype.kind, array.tolist()) for key, array in found.items()} == {
        "a": ("i", [1, 2]),
        "m": ("f", [[0.0, 1.0], [2.0, 3.0]]),
        "s": ("U", ["x", "y"]),
    }
    assert through({"a": [1, 2], "b": [0.5, 1]}, "numpy").tolist() == [(1, 0.5), (2, 1.0)]
    assert through({"a": [1, 2], "s": ["x", None]}, "arrow").to_pydict() == {"a": [1, 2], "s": ["x", None]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "is of the type int; expected a dict of arrays, a numpy array"),
        ([1, 2], "is of the type list; expected"),
        ({"a": [1], "b": [1, 2]}, "the array 'b' has the shape \\(2,\\)"),
        (np.zeros((2, 2, 2)), "has the shape \\(2, 2, 2\\); expected \\(rows,\\) or \\(rows, columns\\)"),
        (np.array(1), "has the shape \\(\\)"),
        (np.zeros(2, complex), "holds complex128, which is no column"),
        ({"a": [object()]}, "cannot be taken as an Arrow table"),
        ({"a": [[1], [2, 3]]}, "inhomogeneous|list"),
        (pa.table({"a": [[1], [2]]}), "column 'a' holds list<"),
        (np.zeros(0), "holds no rows; expected one or more"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(data, message):
    with pytest.raises(SeriesError, match=message):
        compress_table(data)


def test_a_table_becomes_nothing_that_is_not_known():
    table = table_of(np.arange(3))
    with pytest.raises(SeriesError, match="no table becomes 'panda': did you mean pandas"):
        convert_table(table, "panda")  # type: ignore[arg-type]
