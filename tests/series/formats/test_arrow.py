"""Arrow's types: each comes back as itself to the bit, or is refused by its name."""

from __future__ import annotations

import datetime
import io
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from series_files import as_parquet, decimals, through_memory

from vqaudio.compress import main as compress
from vqaudio.errors import SeriesError
from vqaudio.series import MaxError

STAMPS = [datetime.datetime(2024, 2, 29, 1, 2, 3, 456), None]


KEPT = {
    "decimal32": pa.array(decimals("1.25", None, "-9999999.99"), pa.decimal32(9, 2)),
    "decimal64": pa.array(decimals("1.25", None, "-3"), pa.decimal64(12, 2)),
    "decimal128": pa.array(decimals("0.05", None, "-3", "0"), pa.decimal128(10, 2)),
    "wide decimal128": pa.array(decimals("9" * 30 + ".1234", None, "-" + "9" * 30 + ".1", "0"), pa.decimal128(38, 4)),
    "whole decimal128": pa.array(decimals("12345678901234567890", "5"), pa.decimal128(20, 0)),
    "decimal256": pa.array(decimals("9" * 60 + ".1234", None, "-3"), pa.decimal256(70, 4)),
    "dictionary": pa.array(["b", "a", None, "b"]).dictionary_encode(),
    "ordered": pa.DictionaryArray.from_arrays(
        pa.array([2, 0, None, 2], pa.int8()), pa.array(["low", "never", "high"]), ordered=True
    ),
    "dictionary of bytes": pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.uint16()), pa.array([b"\xff", b""])),
    "dictionary without words": pa.DictionaryArray.from_arrays(pa.array([None], pa.int8()), pa.array([], pa.string())),
    "string": pa.array(["é", None, ""]),
    "large_string": pa.array(["é", None, ""], pa.large_string()),
    "string_view": pa.array(["é", None, ""], pa.string_view()),
    "binary": pa.array([b"\x00\xff", None, b""]),
    "large_binary": pa.array([b"\x00\xff", None, b""], pa.large_binary()),
    "binary_view": pa.array([b"\x00\xff", None, b""], pa.binary_view()),
    "fixed_size_binary": pa.array([b"\x00\xff", None, b"ab"], pa.binary(2)),
    "float16": pa.array(np.array([1.5, -0.0, np.inf], np.float16)),
    "float32": pa.array([1.5, None, -np.inf], pa.float32()),
    "uint64": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "bool": pa.array([True, None, False]),
    "date32": pa.array([datetime.date(1, 1, 1), None]),
    "date64": pa.array([datetime.date(2020, 1, 1), None], pa.date64()),
    "time32": pa.array([5, None], pa.time32("ms")),
    "time64": pa.array([5, None], pa.time64("ns")),
    "duration": pa.array([5, None, -(2**62)], pa.duration("ns")),
    "timestamp": pa.array(STAMPS, pa.timestamp("us")),
    "timestamp of a zone": pa.array(STAMPS, pa.timestamp("us", "America/New_York")),
    "timestamp of an offset": pa.array(STAMPS, pa.timestamp("ns", "+05:30")),
    "null": pa.nulls(3),
    "json": pa.array(["{}", None], pa.json_()),
    "uuid": pa.array([uuid.UUID(int=5).bytes], pa.uuid()),
    "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None], pa.int8())),
}


@pytest.mark.parametrize("array", KEPT.values(), ids=KEPT)
def test_columns_of_parquet_come_back_with_their_types(array):
    data = as_parquet(array)
    before = pq.ParquetFile(io.BytesIO(data)).read()
    for max_error in (None,) if pa.types.is_floating(array.type) else (None, MaxError(1e-9)):
        found = pq.ParquetFile(io.BytesIO(through_memory(data, max_error=max_error))).read()
        assert found.schema.equals(before.schema, check_metadata=True)
        assert found.equals(before)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array([[1], [2, 3]]), "list<"),
        (pa.array([{"a": 1}]), "struct<"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "map<"),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "fixed_size_list<"),
    ],
)
def test_nested_columns_are_refused_by_name_and_type(array, kind, capsys):
    pq.write_table(pa.Table.from_arrays([pa.array([1] * len(array)), array], names=["n", "odd one"]), "in.parquet")
    assert compress(["in.parquet", "out.vq"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: in.parquet: column 'odd one' holds {kind}")
    assert not Path("out.vq").exists()


def test_text_that_is_not_utf8_is_refused_by_its_column(capsys):
    odd = pa.array([b"\xff\xfe"]).view(pa.string())
    pq.write_table(pa.table({"x": odd}), "in.parquet")
    assert compress(["in.parquet", "out.vq"]) == 1
    assert capsys.readouterr().err.startswith("error: in.parquet: column 'x' holds text that is not UTF-8")


@pytest.mark.parametrize(
    ("array", "suffix", "said"),
    [
        (pa.array([b"a"]), ".csv", "column 'x' holds binary, which CSV cannot"),
        (pa.array([b"a"]), ".npz", "column 'x' holds binary, which arrays cannot"),
        (pa.array(decimals("1.5"), pa.decimal128(5, 2)), ".npy", "column 'x' holds decimal128(5, 2), which arrays"),
        (pa.array(["a", None]), ".npy", "column 'x' has 1 gaps, which arrays of string cannot hold"),
        (pa.array(["a\0"]), ".npy", "column 'x' holds text that ends in NUL"),
    ],
)
def test_other_formats_refuse_what_they_cannot_hold(array, suffix, said):
    with pytest.raises(SeriesError) as caught:
        through_memory(as_parquet(array), to=suffix)
    assert said in str(caught.value)


def test_decimals_and_dictionaries_as_csv():
    table = pa.table(
        {
            "price": pa.array(decimals("1.50", None, "-0.05", "12345678901234567890123.00"), pa.decimal128(38, 2)),
            "whole": pa.array(decimals("7", "0", "-12", "1"), pa.decimal128(5, 0)),
            "kind": pa.array(["b", "a", None, "b"]).dictionary_encode(),
        }
    )
    pq.write_table(table, "in.parquet")
    found = through_memory(Path("in.parquet").read_bytes(), to=".csv").decode()
    assert found == "price,whole,kind\n1.50,7,b\n,0,a\n-0.05,-12,\n12345678901234567890123.00,1,b\n"


def test_days_become_days_in_arrays():
    with np.load(
        io.BytesIO(through_memory(as_parquet(pa.array([datetime.date(2024, 2, 29), None])), to=".npz"))
    ) as arrays:
        np.testing.assert_array_equal(arrays["x"], np.array(["2024-02-29", "NaT"], "M8[D]"))
