"""Parquet in pieces: row groups of any length are the same table, and so is what is written piece by piece."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from series_tables import same_tables

from vqaudio.errors import SeriesError
from vqaudio.series import Column, Table
from vqaudio.series.formats.parquet import ParquetReader, ParquetWriter
from vqaudio.series.pieces import joined
from vqaudio.series.table import NULL


def as_file(table: pa.Table, **options) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file


def example(n_rows: int = 100) -> pa.Table:
    row = np.arange(n_rows)
    columns = {
        "x": pa.array(row / 4, mask=row % 7 == 0),
        "n": pa.array(row, pa.uint8()),
        "word": pa.array([None if i % 9 == 0 else f"w{i // 10}" for i in row.tolist()]),
        "kind": pa.array([f"k{i // 30}" for i in row.tolist()]).dictionary_encode(),
        "price": pa.array(row, pa.int64()).cast(pa.decimal128(20, 0)),
    }
    fields = [pa.field(name, values.type, name != "n") for name, values in columns.items()]
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata={"rig": "left"}))


@pytest.mark.parametrize("group_rows", [7, 30, 1000])
@pytest.mark.parametrize("rows", [1, 13, 30, 99, 100, 1000])
def test_pieces_are_the_whole(rows, group_rows):
    file = as_file(example(), row_group_size=group_rows)
    pieces = list(ParquetReader(file, "in.parquet").pieces(rows))
    (whole,) = ParquetReader(file, "in.parquet").pieces(1000)
    assert [piece.n_rows for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert {column.dictionary.words for piece in pieces for column in piece.columns if column.dictionary} == {
        ("k0", "k1", "k2", "k3")
    }
    assert same_tables(joined(pieces), whole)
    target = io.BytesIO()
    with ParquetWriter(target, "out.parquet") as writer:
        for piece in pieces:
            writer.write(piece)
    found = pq.ParquetFile(target, page_checksum_verification=True)
    assert found.num_row_groups == len(pieces)
    assert found.read().equals(example().unify_dictionaries(), check_metadata=True)


@pytest.mark.parametrize("names", [["kind", "kind"], ["a.b", "a"], ["", "kind"]])
def test_dictionaries_are_found_whatever_they_are_called(names):
    column = example()["kind"].combine_chunks()
    file = as_file(pa.Table.from_arrays([column, pa.array(range(100))], names=names), row_group_size=30)
    pieces = list(ParquetReader(file, "in.parquet").pieces(30))
    assert [piece.columns[0].dictionary.words for piece in pieces] == [("k0", "k1", "k2", "k3")] * 4
    assert [name for piece in pieces for name in piece.columns[0].values.tolist()] == column.to_pylist()


def test_a_file_without_rows_has_one_piece_without_rows():
    (piece,) = ParquetReader(as_file(example(0)), "in.parquet").pieces(10)
    assert (piece.n_rows, len(piece.columns)) == (0, 5)


def test_damage_behind_the_first_piece_is_noticed():
    table = pa.table({"x": np.random.default_rng(0).integers(0, 2**62, 4000)})
    data = bytearray(as_file(table, row_group_size=1000, write_page_checksum=True, compression="none").getvalue())
    data[len(data) // 2] ^= 1
    pieces = ParquetReader(io.BytesIO(data), "in.parquet").pieces(1000)
    assert next(pieces).n_rows == 1000
    with pytest.raises(SeriesError, match=r"in.parquet: cannot be read as Parquet \(.*CRC"):
        list(pieces)


def piece_of(cells: list[int]) -> Table:
    values = np.arange(len(cells), dtype=np.int64)
    return Table([Column("x", "int64", values, np.array(cells, np.uint8), nullable=False)], {"suffix": ".parquet"})


def test_gaps_of_rows_that_are_lost_later_are_told_before():
    file = io.BytesIO()
    with ParquetWriter(file, "out.parquet", has_gaps=True) as writer:
        for cells in ([0, 0], [NULL, NULL]):
            writer.write(piece_of(cells))
    assert pq.read_table(file)["x"].to_pylist() == [0, 1, None, None]
    with ParquetWriter(io.BytesIO(), "x") as writer:
        writer.write(piece_of([0, 0]))
        with pytest.raises(SeriesError, match="cannot be written as Parquet"):
            writer.write(piece_of([NULL, NULL]))
