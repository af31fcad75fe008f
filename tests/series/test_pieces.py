"""Tables in pieces: what is cut and joined again is the same, and is written the same."""

from __future__ import annotations

import io

import pytest
from series_tables import long_table, same_tables

from vqaudio.series import StoredTable, compress, read_table, write_table
from vqaudio.series.formats.in_pieces import create_table, open_table
from vqaudio.series.pieces import cut, joined

ODD = "t,x\n\n\n1,0.50\n2,7\n\n3,1.25\n4,1.50\n\n5,2.00\n6,-0\n\n\n"


def as_csv(table) -> bytes:
    file = io.BytesIO()
    write_table(table, file, name="out.csv", suffix=".csv")
    return file.getvalue()


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 100])
@pytest.mark.parametrize("text", [ODD, ODD.rstrip("\n"), ODD.removeprefix("t,x\n"), "1\n2\n3\n4\n"])
def test_blank_lines_and_spelled_cells_go_with_their_rows(text, rows):
    table = StoredTable(compress(read_table(io.BytesIO(text.encode()), "in.csv", suffix=".csv"))).table()
    pieces = [cut(table, start, start + rows) for start in range(0, table.n_rows, rows)]
    assert [piece.n_rows for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert same_tables(joined(pieces), table)
    assert as_csv(joined(pieces)) == as_csv(table) == text.encode()
    twice = [cut(joined(pieces), start, start + 2) for start in range(0, table.n_rows, 2)]
    assert as_csv(joined(twice)) == text.encode()


def test_a_file_is_read_and_written_in_pieces():
    original = as_csv(long_table())
    reader = open_table(io.BytesIO(original), "in.csv", suffix=".csv")
    file = io.BytesIO()
    with create_table(file, "out.csv", suffix=".csv") as writer:
        for piece in reader.pieces(1000):
            assert piece.n_rows in (1000, 500)
            for column in piece.columns:
                column.style = {"short": True, "unit": "s"} if column.dtype != "int64" else {}
            writer.write(piece)
    assert read_table(io.BytesIO(file.getvalue()), "x", suffix=".csv").n_rows == 2500
    assert file.getvalue().splitlines()[0] == original.splitlines()[0]
