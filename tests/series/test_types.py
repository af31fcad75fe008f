"""Types of Parquet and of arrays: each comes back as itself to the bit, or is refused by its name."""

from __future__ import annotations

import datetime
import io
import uuid
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.errors import SeriesError
from vqaudio.series import MaxError, StoredTable, read_table, write_table
from vqaudio.series import compress as compress_table


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def as_parquet(array: pa.Array, nullable: bool = True) -> bytes:
    file = io.BytesIO()
    field = pa.field("x", array.type, nullable, {"unit": "mV"})
    pq.write_table(pa.Table.from_arrays([array], schema=pa.schema([field], metadata={"rig": "left"})), file)
    return file.getvalue()


def through(data: bytes, suffix: str = ".parquet", to: str = "", max_error: MaxError | None = None) -> bytes:
    table = read_table(io.BytesIO(data), f"in{suffix}", suffix=suffix)
    coded, file = compress_table(table, max_error, lossless=max_error is None), io.BytesIO()
    write_table(StoredTable(coded).table(), file, name=f"out{to or suffix}", suffix=to or suffix)
    return file.getvalue()


def decimals(*texts: str | None) -> list[Decimal | None]:
    return [None if text is None else Decimal(text) for text in texts]


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
        found = pq.ParquetFile(io.BytesIO(through(data, max_error=max_error))).read()
        assert found.schema.equals(before.schema, check_metadata=True)
        assert found.equals(before)


def test_what_has_no_gaps_by_its_type_has_none_after_it():
    for nullable in (True, False):
        found = pq.ParquetFile(io.BytesIO(through(as_parquet(pa.array([1, 2]), nullable)))).read()
        assert found.schema.field(0).nullable == nullable


def test_gaps_of_lost_rows_are_allowed_where_the_type_has_none():
    table = read_table(io.BytesIO(as_parquet(pa.array([1, 2]), False)), "x", suffix=".parquet")
    data = bytearray(compress_table(table))
    data[-7] ^= 1
    stored, file = StoredTable(bytes(data)), io.BytesIO()
    write_table(stored.table(), file, name="out", suffix=".parquet")
    assert len(stored.damage) == 1
    assert pq.ParquetFile(file).read()["x"].to_pylist() == [None, None]


def test_names_may_stand_twice():
    pq.write_table(pa.Table.from_arrays([pa.array([1, 2]), pa.array([0.5, 1.5])], names=["a", "a"]), "in.parquet")
    found = pq.ParquetFile(io.BytesIO(through(Path("in.parquet").read_bytes()))).read()
    assert found.column_names == ["a", "a"]
    assert [column.to_pylist() for column in found.columns] == [[1, 2], [0.5, 1.5]]


def test_data_frames_come_back_with_index_and_categories():
    kind = pd.Categorical(["x", "z", None, "x"], categories=["z", "y", "x"], ordered=True)
    stamps = pd.date_range("2024-03-30", periods=4, tz="Europe/Berlin", name="when")
    frame = pd.DataFrame({"kind": kind, "x": [0.5, 1.5, np.nan, 2.5]}, index=stamps)
    frame.to_parquet("in.parquet")
    Path("out.parquet").write_bytes(through(Path("in.parquet").read_bytes()))
    pd.testing.assert_frame_equal(pd.read_parquet("out.parquet"), pd.read_parquet("in.parquet"))


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
    written = bytearray(through(as_parquet(pa.array(np.random.default_rng(0).integers(0, 2**62, 100)))))
    written[200] ^= 1
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(io.BytesIO(bytes(written)), page_checksum_verification=True).read()


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
        through(as_parquet(array), to=suffix)
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
    found = through(Path("in.parquet").read_bytes(), to=".csv").decode()
    assert found == "price,whole,kind\n1.50,7,b\n,0,a\n-0.05,-12,\n12345678901234567890123.00,1,b\n"


def test_days_become_days_in_arrays():
    with np.load(io.BytesIO(through(as_parquet(pa.array([datetime.date(2024, 2, 29), None])), to=".npz"))) as arrays:
        np.testing.assert_array_equal(arrays["x"], np.array(["2024-02-29", "NaT"], "M8[D]"))


# --------------------------------------------------------------------------------------------------------------- arrays


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("n_odd", [1, 3, 90])
def test_lossless_keeps_infinities_and_the_bits_of_nan(dtype, n_odd):
    random = np.random.default_rng(0)
    for values in (np.round(random.normal(size=300), 1), random.normal(size=300)):
        array = values.astype(dtype)
        unsigned = array.view(f"u{array.itemsize}")
        unsigned[[5, 6]] = np.array(np.nan, dtype).view(unsigned.dtype)
        top = unsigned[5] | np.array(1, unsigned.dtype) << np.array(8 * array.itemsize - 1, unsigned.dtype)
        for at in range(n_odd):
            array[10 + 3 * at], array[11 + 3 * at] = np.inf, -np.inf
            unsigned[12 + 3 * at - 2 * (at % 2)] = top + np.array(at, unsigned.dtype)
        assert through(npy(array), ".npy") == npy(array)


def test_infinities_without_lossless_are_refused_with_what_to_do():
    for max_error in (None, MaxError(1.0)):
        table = read_table(io.BytesIO(npy(np.array([1.0, -np.inf]))), "x.npy", suffix=".npy")
        with pytest.raises(SeriesError, match=r"row 2 of column '' holds -inf.*or keep all bits \(--lossless\)"):
            compress_table(table, max_error, name="x.npy")


def test_plain_nan_needs_no_bits_of_its_own():
    values = np.round(np.random.default_rng(0).normal(size=3000), 1)
    values[::7] = np.nan
    table = read_table(io.BytesIO(npy(values)), "x.npy", suffix=".npy")
    assert len(compress_table(table, lossless=True)) == len(compress_table(table))


@pytest.mark.parametrize("name", ["in.npy", "in.npz"])
def test_what_follows_an_array_is_not_dropped(name, capsys):
    data = npy(np.arange(3)) + npy(np.arange(4))
    Path("in.npy").write_bytes(data)
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr("a.npy", data)
    assert compress([name, "out.vq"]) == 1
    assert f"{name}: cannot be read as {name[2:]} (something follows its array" in capsys.readouterr().err
    assert not Path("out.vq").exists()


def test_archives_with_two_arrays_of_one_name_are_refused(capsys):
    with zipfile.ZipFile("in.npz", "w") as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
        archive.writestr("a", npy(np.arange(3) + 1))
    assert compress(["in.npz", "out.vq"]) == 1
    assert "it holds two arrays named 'a'" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["before", "behind"])
def test_bytes_around_an_archive_are_refused(place, capsys):
    np.savez("in.npz", a=np.arange(3))
    data = Path("in.npz").read_bytes()
    Path("in.npz").write_bytes(data + b"more" if place == "behind" else data + data)
    assert compress(["in.npz", "out.vq"]) == 1
    assert "something stands before or behind its arrays" in capsys.readouterr().err


def test_a_damaged_array_in_an_archive_is_refused(capsys):
    np.savez_compressed("in.npz", a=np.arange(3000) % 7)
    data = bytearray(Path("in.npz").read_bytes())
    data[100] ^= 255
    Path("in.npz").write_bytes(data)
    assert compress(["in.npz", "out.vq"]) == 1
    assert capsys.readouterr().err.startswith("error: in.npz: cannot be read as .npz (")
    assert decompress(["in.npz", "out.npz"]) == 1


def test_damaged_headers_of_arrays_are_refused(capsys):
    whole = npy(np.arange(3))
    for damaged in (
        whole.replace(b"}", b"{"),
        whole.replace(b"(3,)", b"(3,("),
        whole.replace(b"(3,)", b"(-3)"),
        whole[:90],
    ):
        Path("in.npy").write_bytes(damaged)
        assert compress(["in.npy", "out.vq"]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: in.npy: cannot be read as .npy (")
        assert error.count("\n") == 1
