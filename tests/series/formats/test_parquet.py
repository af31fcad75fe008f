"""Parquet files: schemas, gaps, data frames and checksums."""

from __future__ import annotations

import datetime
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from series_files import as_parquet, through, through_memory

from vqaudio.compress import main as compress
from vqaudio.series import StoredTable, read_table, write_table
from vqaudio.series import compress as compress_table


def test_what_has_no_gaps_by_its_type_has_none_after_it():
    for nullable in (True, False):
        found = pq.ParquetFile(io.BytesIO(through_memory(as_parquet(pa.array([1, 2]), nullable)))).read()
        assert found.schema.field(0).nullable == nullable


def test_gaps_of_lost_rows_are_allowed_where_the_type_has_none():
    table = read_table(io.BytesIO(as_parquet(pa.array([1, 2]), False)), "x", suffix=".parquet")
    data = bytearray(compress_table(table))
    data[StoredTable(bytes(data)).layout.places[0].offset + 9] ^= 1
    stored, file = StoredTable(bytes(data)), io.BytesIO()
    write_table(stored.table(), file, name="out", suffix=".parquet")
    assert len(stored.damage) == 1
    assert pq.ParquetFile(file).read()["x"].to_pylist() == [None, None]


def test_names_may_stand_twice():
    pq.write_table(pa.Table.from_arrays([pa.array([1, 2]), pa.array([0.5, 1.5])], names=["a", "a"]), "in.parquet")
    found = pq.ParquetFile(io.BytesIO(through_memory(Path("in.parquet").read_bytes()))).read()
    assert found.column_names == ["a", "a"]
    assert [column.to_pylist() for column in found.columns] == [[1, 2], [0.5, 1.5]]


def test_data_frames_come_back_with_index_and_categories():
    kind = pd.Categorical(["x", "z", None, "x"], categories=["z", "y", "x"], ordered=True)
    stamps = pd.date_range("2024-03-30", periods=4, tz="Europe/Berlin", name="when")
    frame = pd.DataFrame({"kind": kind, "x": [0.5, 1.5, np.nan, 2.5]}, index=stamps)
    frame.to_parquet("in.parquet")
    Path("out.parquet").write_bytes(through_memory(Path("in.parquet").read_bytes()))
    pd.testing.assert_frame_equal(pd.read_parquet("out.parquet"), pd.read_parquet("in.parquet"))


def test_a_wrong_checksum_of_a_page_is_noticed(capsys):
    pq.write_table(pa.table({"x": list(range(1000))}), "in.parquet", write_page_checksum=True, compression="none")
    data = bytearray(Path("in.parquet").read_bytes())
    data[60] ^= 1
    Path("in.parquet").write_bytes(data)
    assert compress(["in.parquet", "out.vq"]) == 1
    error = capsys.readouterr().err
    assert "in.parquet: cannot be read as Parquet (" in error
    assert "CRC" in error
    assert not Path("out.vq").exists()


def test_parquet_is_written_with_checksums():
    written = bytearray(through_memory(as_parquet(pa.array(np.random.default_rng(0).integers(0, 2**62, 100)))))
    written[200] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(io.BytesIO(bytes(written)), page_checksum_verification=True).read()


def parquet_table() -> pa.Table:
    random = np.random.default_rng(0)
    stamps = pa.array(np.arange(50) * 10**9 + 10**18, pa.timestamp("ns", "Europe/Berlin"))
    columns = {
        "when": stamps,
        "day": pa.array([datetime.date(2020, 1, 1 + i % 28) for i in range(50)]),
        "lag": pa.array(np.arange(50), pa.duration("ms")),
        "clock": pa.array([datetime.time(1, i) for i in range(50)], pa.time64("us")),
        "small": pa.array(random.integers(-128, 128, 50), pa.int8()),
        "large": pa.array(random.integers(0, 2**64, 50, np.uint64)),
        "single": pa.array(np.round(random.normal(size=50), 2).astype(np.float32)),
        "double": pa.array([None if i % 7 == 0 else math.nan if i % 5 == 0 else i / 4 for i in range(50)]),
        "flag": pa.array([None, True, False, True, False] * 10),
        "label": pa.array(["a", None, "", "é", "a"] * 10),
        "kind": pa.array(["x", "y"] * 25).dictionary_encode(),
        "nothing": pa.nulls(50),
    }
    fields = [pa.field(name, values.type) for name, values in columns.items()]
    fields[6] = fields[6].with_metadata({"unit": "mV"})
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata={"rig": "left"}))


def test_parquet_comes_back_with_types_zones_units_and_both_kinds_of_gaps():
    original = parquet_table()
    pq.write_table(original, "in.parquet")
    found = pq.read_table(through("in.parquet"))
    assert found.schema.equals(original.schema, check_metadata=True)
    for name in original.column_names:
        assert str(found[name].to_pylist()) == str(original[name].to_pylist())


def test_parquet_that_is_refused(capsys):
    pq.write_table(pa.table({"x": [1, 2], "many": [[1], [2, 3]]}), "in.parquet")
    Path("text.parquet").write_text("no Parquet")
    assert compress(["in.parquet", "out.vq"]) == 1
    assert "column 'many' holds list<" in capsys.readouterr().err
    assert compress(["text.parquet", "out.vq"]) == 1
    assert "text.parquet: cannot be read as Parquet" in capsys.readouterr().err
