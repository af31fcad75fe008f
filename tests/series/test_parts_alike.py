"""However random tables are read in pieces or added to one another, the same comes back, and the same is written."""

from __future__ import annotations

import io
import tempfile
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from table_strategies import as_arrow, check_same, same_arrow, tables

from vqaudio.append import main as append
from vqaudio.compress import main as compress_file
from vqaudio.decompress import main as decompress_file
from vqaudio.series import StoredTable, Table, compress, read_table, writer
from vqaudio.series.formats.in_pieces import open_table

SIZES = st.integers(1, 25)
quick = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
thousand = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))


def parquet(table: pa.Table, rows: int) -> bytes:
    """A file whose row groups have so many rows."""
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=rows)
    return file.getvalue()


def check_pieces(original: Table, rows: int, chunk_rows: int) -> None:
    """A file that is read in pieces is compressed to the bytes of the table as a whole, in short chunks too."""
    data = parquet(as_arrow(original), rows)
    with patch.object(writer, "chunk_rows_for", lambda n_columns: chunk_rows):
        whole = compress(read_table(io.BytesIO(data), "in.parquet", suffix=".parquet"), lossless=True)
        in_pieces = compress(open_table(io.BytesIO(data), "in.parquet", suffix=".parquet"), lossless=True)
    assert whole == in_pieces
    stored = StoredTable(in_pieces)
    found = stored.table()
    assert stored.damage == []
    assert len(stored.layout.places) == -(-original.n_rows // chunk_rows)
    check_same(read_table(io.BytesIO(data), "in.parquet", suffix=".parquet").columns, found.columns)


def check_appended(original: Table, at: float, bound: str) -> None:
    """The rows of two files, the second added to the first, are those of one file."""
    whole = pq.read_table(io.BytesIO(parquet(as_arrow(original), original.n_rows)))  # in the types that Parquet has
    first = max(1, int(at * original.n_rows))
    assume(first < original.n_rows)
    with tempfile.TemporaryDirectory() as folder:
        names = {name: str(Path(folder) / name) for name in ("a.parquet", "b.parquet", "a.vq", "back.parquet")}
        pq.write_table(whole.slice(0, first), names["a.parquet"])
        pq.write_table(whole.slice(first), names["b.parquet"])
        how = ["--max-error", bound] if bound else ["--lossless"]
        assert compress_file([names["a.parquet"], names["a.vq"], "--quiet", *how]) == 0
        assert append([names["a.vq"], names["b.parquet"], "--quiet"]) == 0
        assert decompress_file([names["a.vq"], names["back.parquet"], "--quiet"]) == 0
        found = pq.read_table(names["back.parquet"])
    if not bound:
        assert same_arrow(found, whole)
        return
    assert found.schema == whole.schema
    for one, other in zip(found.columns, whole.columns, strict=True):
        assert one.is_null().combine_chunks().equals(other.is_null().combine_chunks())
        if pa.types.is_floating(one.type):
            pairs = (array.combine_chunks().fill_null(0).to_numpy() for array in (one, other))
            known = [array[np.isfinite(array)].tolist() for array in pairs]
            differences = (abs(Fraction(a) - Fraction(b)) for a, b in zip(*known, strict=True))
            assert max(differences, default=0) <= Fraction(float(bound))


@given(tables(), SIZES, SIZES)
@quick
def test_pieces_make_the_same_file(original, rows, chunk_rows):
    check_pieces(original, rows, chunk_rows)


@given(tables(), st.floats(0, 1))
@quick
def test_rows_that_are_added_come_back(original, at):
    check_appended(original, at, "")


@given(tables(finite=True), st.floats(0, 1), st.sampled_from(["0.5", "1e-3"]))
@quick
def test_rows_that_are_added_are_within_the_bound(original, at, bound):
    check_appended(original, at, bound)


@pytest.mark.slow
@given(tables(), SIZES, SIZES)
@thousand
def test_pieces_of_a_thousand_tables_make_the_same_file(original, rows, chunk_rows):
    check_pieces(original, rows, chunk_rows)


@pytest.mark.slow
@given(tables(), st.floats(0, 1))
@thousand
def test_rows_that_are_added_to_a_thousand_tables_come_back(original, at):
    check_appended(original, at, "")
