"""CSV in pieces: whatever the blocks that it is parsed in and the pieces it is read in, it is the same table."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv
from series_tables import same_tables

from vqaudio.errors import SeriesError
from vqaudio.series.formats import csv_source
from vqaudio.series.formats.csv_reader import CHANGED, CsvReader
from vqaudio.series.formats.csv_writer import CsvWriter
from vqaudio.series.pieces import joined

NUMBERS = st.sampled_from(["0", "1", "-7", "0.5", "12.25", "1e5", "", "NA", "9007199254740993", "18446744073709551615"])
TIMES = st.sampled_from(["2020-01-01", "2020-01-01 00:00:01", "2020-01-02T03:04:05Z", "0001-01-01", "10:00", ""])
TIMES_WITH_PARTS = st.sampled_from(["2020-01-01 00:00:00.5", "2020-01-01", "2020-01-01 10:00:00", "0001-01-01"])
OTHERS = st.sampled_from(["true", "False", "1", "0", "x", "", "é", 'say "hi"', "a,b", "two\nlines", " 5", "?", "1;5"])
CELLS = st.one_of(NUMBERS, TIMES, TIMES_WITH_PARTS, OTHERS)
COLUMNS = st.sampled_from([NUMBERS, TIMES, TIMES_WITH_PARTS, OTHERS, CELLS, st.sampled_from(["0,5", "1,25", "7", ""])])


@contextmanager
def blocks_of(n_bytes: int):
    with patch.object(csv_source, "BLOCK_BYTES", n_bytes):
        yield


@st.composite
def files(draw) -> bytes:
    """A CSV as Python's ``csv`` writes it, with blank lines here and there."""
    columns = draw(st.lists(COLUMNS, min_size=1, max_size=4))
    rows = draw(st.lists(st.tuples(*columns), min_size=1, max_size=12))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]))
    lines = []
    for row in [[f"c{number}" for number in range(len(columns))], *rows]:
        file = io.StringIO(newline="")
        csv.writer(file, lineterminator=newline, quoting=quoting, delimiter=draw(st.just(","))).writerow(row)
        lines += [file.getvalue(), *([newline] if draw(st.integers(0, 6)) == 0 else [])]
    mark = draw(st.sampled_from(["", "\ufeff"]))
    text = mark + "".join(lines)
    return (text.removesuffix(newline) if draw(st.booleans()) else text).encode()


UNKNOWN_LINES: dict[str, object] = {"blank_lines": [], "ends": True}


def pieces_of(data: bytes, rows: int, *, block: int, **options):
    with blocks_of(block):
        reader = CsvReader(io.BytesIO(data), "in.csv", **options)
        return reader, list(reader.pieces(rows))


@given(files(), st.integers(1, 7), st.sampled_from([16, 40, 100]))
@example(b"a,b\n" + b"1,x\n" * 9 + b"?,\n" * 1, 3, 16)
@example(b"a;b\n1,5;2\n\n\n7;\n", 1, 16)
@example(b"a,b\n\n1,1\n,\n1,1\n\n1,1\n\n1,1\n\n", 1, 16)  # blank lines that pieces of a row describe, and the whole not
@example(b"c0,c1\n" + b'\n2020-01-01,"0,5"\n' * 6 + b",\n" + b'2020-01-01,"0,5"\n\n' * 5, 1, 16)  # likewise
@example(b'c0,c1\n\n"0,5","0,5"\n,' + b'\n"0,5","0,5"\n' * 9, 1, 16)  # likewise
@example(b'c0,c1\n\n"0,5","0,5"\n,\n"0,5","0,5"' + b'\n\n"0,5","0,5"' * 8, 1, 16)  # and the last line does not end
@settings(max_examples=25, deadline=None)
def test_blocks_and_pieces_are_the_whole(data, rows, block):
    _, (whole,) = pieces_of(data, 1 << 20, block=1 << 20)
    reader, pieces = pieces_of(data, rows, block=block)
    assert [piece.n_rows for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert reader.n_rows == whole.n_rows == sum(piece.n_rows for piece in pieces)
    assert set(reader.remarks) <= set(whole.remarks)
    for piece in pieces:
        assert [(column.name, column.dtype, column.zone) for column in piece.columns] == [
            (column.name, column.dtype, column.zone) for column in whole.columns
        ]
    together = joined(pieces)
    assert same_tables(together, whole)
    if reader.remarks == whole.remarks:
        assert together.origin == whole.origin
    else:  # pieces know of blank lines then, and of the last line's end, of which the whole says that they are lost
        assert {**together.origin, **UNKNOWN_LINES} == {**whole.origin, **UNKNOWN_LINES}
    for one, other in zip(together.columns, whole.columns, strict=True):
        assert one.texts.equals(other.texts)
    file = io.BytesIO()
    with CsvWriter(file, "out.csv") as writer:
        for piece in pieces:
            for column in piece.columns:
                column.dtype, column.values, column.style = "string", column.texts.to_numpy(zero_copy_only=False), {}
                column.cells = 0 * column.cells
            writer.write(piece)
    assert (file.getvalue() == data) == (reader.remarks == [])
    assert reader.remarks in ([], [CHANGED])


@given(st.lists(CELLS, min_size=1, max_size=12), st.sampled_from([16, 60]))
@example(["1", "0", "true"], 16)
@example(["9007199254740993", "9007199254740993", "0.5"], 16)
@example(["2020-01-01", "2020-01-01 00:00:00.5", "0001-01-01"], 16)
@settings(max_examples=25, deadline=None)
def test_types_are_those_that_arrow_finds_in_the_whole(cells, block):
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([["a", "b"], *([cell, "1"] for cell in cells)])
    data = file.getvalue().encode()
    options = arrow_csv.ParseOptions(newlines_in_values=True)
    found = arrow_csv.read_csv(pa.BufferReader(data), arrow_csv.ReadOptions(block_size=1 << 20), options)["a"]
    (column, _) = pieces_of(data, 100, block=block)[1][0].columns
    expected = {"date32[day]": "date32", "double": "float64"}.get(str(found.type), str(found.type))
    if expected == "float64" and column.dtype != "float64":  # integers that floats do not hold
        assert column.dtype in ("uint64", "string")
        assert all(cell in ("", "NA") or cell.lstrip("-").isdigit() for cell in cells)
    elif expected != "string" or column.dtype == "string":  # else numbers or times but for a few cells
        assert column.dtype == expected.partition(", tz")[0] + ("]" if ", tz" in expected else "")
        assert column.cells.tolist() == [int(not cell.is_valid) for cell in found]


def test_a_file_without_rows_has_one_piece_without_rows():
    reader, pieces = pieces_of(b"a,b\n", 5, block=1 << 20)
    assert reader.n_rows == 0
    assert [(piece.n_rows, len(piece.columns)) for piece in pieces] == [(0, 2)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n" + b"1,2\n" * 50 + b"3\n", "row 52 holds 1 cells, expected 2 as in the first"),
        (b"a,b\n" + b"1,2\n" * 50 + b"\xe4,3\n", "line 52 is not text in UTF-8"),
        (b"a,b\n" + b"1,2\n" * 50 + b'"3\n4,5\n' + b"6,7\n" * 50, "in line 52 is never closed"),
        (b'a,b\n"""x\n""y",2\n' + b"1,2\n" * 50 + b'3,"z\n', "in line 54 is never closed"),
    ],
)
def test_what_no_csv_is_is_found_far_behind(data, said):
    with pytest.raises(SeriesError, match=said.replace("(", r"\(")):
        pieces_of(data, 10, block=64)


def test_a_file_that_is_read_ahead_stays_open_for_others():
    file = io.BytesIO(b"a,b\n" + b"1,2\n" * 1000)
    with blocks_of(64):
        reader = CsvReader(file, "in.csv")
        one, other = reader.pieces(300), reader.pieces(300)
        assert same_tables(next(one), next(other))
        assert same_tables(next(one), next(other))
    assert not file.closed
