"""CSV as it is read: what is meant is understood, and the rest is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from series_files import read_csv, through_csv
from tools import one_line

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.series import StoredTable


def test_bytes_that_do_not_come_back_are_said(capsys):
    Path("in.csv").write_bytes(b"a,b\n1,2\r\n3,4\n")
    assert compress(["in.csv", "out.vq"]) == 0
    said = "warning: in.csv: all cells come back, but not all quotes, blank lines and line ends around them\n"
    assert capsys.readouterr().err.startswith(said)
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 0
    assert Path("back.csv").read_bytes() == b"a,b\n1,2\n3,4\n"


def test_integers_of_64_bits_are_integers():
    table = read_csv(b"id,x\n9223372036854775808,1\n18446744073709551615,2\n,3\n")
    assert [column.dtype for column in table.columns] == ["uint64", "int64"]
    assert table.columns[0].values.tolist() == [2**63, 2**64 - 1, 0]


@pytest.mark.parametrize(
    ("text", "decimal", "types"),
    [
        ("a;b\n0,5;1\n1,25;2\n", None, ["float64", "int64"]),
        ("a;b\n1,234;1\n5,678;2\n", None, ["string", "int64"]),
        ("a;b\n1,234;1\n5,678;2\n", ",", ["float64", "int64"]),
        ("a;b\n0,5;0.5\n", None, ["string", "float64"]),
        ("a;b\n0,5;0.5\n", ",", ["float64", "string"]),
        ("a;b\n0,5;0.5\n", ".", ["string", "float64"]),
        ("d;a\n01.03.2024;1000,5\n02.03.2024;2\n", None, ["string", "float64"]),
        ('a,b\n"0,5",1\n"1,5",2\n', None, ["string", "int64"]),
        ('a,b\n"0,5",1\n"1,5",2\n', ",", ["float64", "int64"]),
        ("a;b\nx,5;1\n", None, ["string", "int64"]),
    ],
)
def test_decimal_commas_are_found_where_they_can_be_nothing_else(text, decimal, types):
    table = read_csv(text, decimal=decimal)
    assert [column.dtype for column in table.columns] == types
    assert through_csv(table) == text.encode()


def test_decimal_commas_within_a_bound():
    Path("in.csv").write_text("a;b\n" + "".join(f"{n / 7:.4f};{n}\n".replace(".", ",") for n in range(50)))
    assert compress(["in.csv", "out.vq", "--max-error", "0.01", "--quiet"]) == 0
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 0
    found = [line.split(";")[0] for line in Path("back.csv").read_text().splitlines()[1:]]
    values = np.array([float(text.replace(",", ".")) for text in found])
    assert np.abs(values - np.arange(50) / 7).max() <= 0.0101
    assert all("," in text for text in found[1:])


def test_a_delimiter_may_be_named():
    assert [column.name for column in read_csv("a b c\n1 2 3\n", delimiter=" ").columns] == ["a", "b", "c"]
    Path("in.csv").write_text("a:b\n0,5:1\n")
    assert compress(["in.csv", "out.vq", "--delimiter", ":", "--decimal", ",", "--quiet"]) == 0
    assert [column.dtype for column in StoredTable(Path("out.vq").read_bytes()).table().columns] == ["float64", "int64"]


@pytest.mark.parametrize("names", [b'"a,1",b', b"a,b", b"1,b"])
def test_the_first_line_names_columns_unless_it_holds_numbers(names):
    assert read_csv(names + b"\n1,2\n").n_rows == 1
    assert read_csv(b"1,2\n3,4\n").n_rows == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'a,b\n1,"x\n2,y\n3,z\n', 'the quote (") that opens a cell in line 2 is never closed'),
        (b'\n\na,"b\n1,2\n', "in line 3 is never closed"),
        (b'a,b\n"x\ny",1\n"z,2\n', "in line 4 is never closed"),
        (b"a,b\n1,2\n3\n", "row 3 holds 1 cells, expected 2 as in the first; is its delimiter ','? (--delimiter)"),
        (b"a,b\n1,2,3\n", "row 2 holds 3 cells, expected 2"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "holds no rows"),
        (b"\xff\xfea\x00,\x00b\x00", "line 1 is not text in UTF-8; save it as CSV in UTF-8"),
        (b"\na,b\n1,2\n3,\xe4,5\n", "line 4 is not text in UTF-8"),
    ],
)
def test_what_no_csv_is_is_refused_with_the_reason(data, said, capsys):
    Path("in.csv").write_bytes(data)
    assert compress(["in.csv", "out.vq"]) == 1
    assert one_line(capsys, "error: in.csv: ", said)
    assert not Path("out.vq").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", "cannot be read as CSV"),
        ("", "is empty; expected rows of cells"),
        ("a,b\n", "holds no rows"),
        ("a,b\n1,2\n3,inf\n", "row 2 of column 'b' holds inf"),
        ("a,b\n1,0.123456789012345678\n3,0.2\n", "column 'b' holds floats without a fixed number of digits"),
    ],
)
def test_csv_that_is_refused(text, said, capsys):
    Path("in.csv").write_text(text)
    assert compress(["in.csv", "out.vq"]) == 1
    assert one_line(capsys, "error: in.csv: ", said)
    assert not Path("out.vq").exists()


def test_csv_in_another_encoding_is_refused(capsys):
    for text in ("ä\n1\n", "a\nä\n"):
        Path("in.csv").write_bytes(text.encode("latin1"))
        assert compress(["in.csv", "out.vq"]) == 1
        assert "error: in.csv: " in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"id,t", b"id,t\n", b"t", b"a\r\n"])
def test_names_alone_are_a_table_without_rows(text):
    found = read_csv(text)
    assert (found.n_rows, [column.name for column in found.columns]) == (0, text.decode().strip().split(","))
