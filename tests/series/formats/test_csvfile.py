"""CSV in all its dialects: it comes back as it stood, what is meant is understood, and the rest is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tools import one_line

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.errors import SeriesError
from vqaudio.series import StoredTable, Table, read_table, write_table
from vqaudio.series import compress as compress_table
from vqaudio.series.formats.csv_dialect import delimiter_of


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes, delimiter: str | None = None, decimal: str | None = None) -> Table:
    data = text.encode() if isinstance(text, str) else text
    return read_table(io.BytesIO(data), "in.csv", suffix=".csv", delimiter=delimiter, decimal=decimal)


def through(table: Table) -> bytes:
    file = io.BytesIO()
    write_table(StoredTable(compress_table(table, lossless=True)).table(), file, name="out.csv", suffix=".csv")
    return file.getvalue()


TO_THE_BYTE = {
    "a newline in a name": b'id,"temp\n(C)",v\n1,2.5,3\n2,3.5,4\n',
    "newlines in the first name alone": b'"a\nb\nc",d\n1,2\n3,4\n',
    "a newline and a delimiter in a name": b'"a\n,b",c\n1,2\n',
    "line ends of old Macs": b"a,b\r1,2\r3,4\r",
    "quotes and old Macs": b'"a\nb",b\r1,"2,\r3"\r3,4\r',
    "a byte order mark": b"\xef\xbb\xbfa,b\n1,2\n",
    "a byte order mark and quotes": b'\xef\xbb\xbf"a",b\r\n"1",2\r\n',
    "all quoted": b'"a","b"\n"1","x"\n"2",""\n',
    "text quoted, as R does": b'"a","b"\n1,"x"\n2,"y"\n',
    "a quoted column": b'a,b\n1,"x"\n2,"y"\n',
    "no end of the last line": b"a,b\n1,2\n3,4",
    "blank lines": b"\n\na,b\n\n1,2\n\n\n3,4\n\n",
    "blank lines of Windows": b"a,b\r\n\r\n1,2\r\n3,4\r\n\r\n",
    "blank lines after a byte order mark": b"\xef\xbb\xbf\n\na,b\n1,2\n",
    "blank lines of one column": b"a\n1\n\n3\n",
    "empty cells of one column": b'a\n1\n""\n3\n',
    "a blank line at the end of one column": b"a\n1\n2\n\n",
    "a name that is empty": b",b\n1,2\n3,4\n",
    "quotes within texts": b'a,b\n"5"" pipe",1\n"say ""hi""",2\n',
    "integers of 64 bits": b"id,x\n9223372036854775808,1\n18446744073709551615,2\n,3\n",
    "integers of more bits": b"id\n18446744073709551616\n-5\n123456789012345678901234567890\n",
    "decimal commas": b"a;b\n0,5;1\n1,25;2\n-3,0;3\n",
    "decimal commas without names": b"0,5;1,25\n1,5;2,75\n",
    "decimal commas and gaps": b"a;b\n0,5;x\n;y\nNA;z\n1,5;w\n",
    "commas that may be thousands": b"a;b\n1,234;1\n5,678;2\n",
    "thousands and decimal commas": b"a;b\n1.234,5;1\n5.678,25;2\n",
    "commas and points": b"a;b;c\n0,5;0.5;1\n1,5;1.5;2\n",
    "infinities": b"a,b\n1.5,inf\n2.5,-inf\n3.5,1.0\n",
    "spaces around numbers": b"a,b\n 1,2\n3 ,4\n",
    "a NUL": b"a,b\nx\x00y,1\nz,2\n",
    "one cell": b"5",
    "bars": b"a|b\n1|2\n",
    "delimiters within quotes": b'"a;b;c;d",e\n"1;2;3;4",5\n',
}


@pytest.mark.parametrize("data", TO_THE_BYTE.values(), ids=TO_THE_BYTE)
def test_csv_comes_back_to_the_byte(data):
    table = read(data)
    assert through(table) == data
    assert table.remarks == []


@given(
    st.lists(
        st.lists(st.text(st.sampled_from('a1,;"\n .-é'), max_size=4), min_size=2, max_size=2), min_size=2, max_size=5
    ),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=60, deadline=None)
def test_cells_of_any_text_come_back(rows, newline):
    """Written as Python's ``csv`` does: its cells come back, and so do its bytes unless it is said."""
    import csv

    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=newline).writerows([["x", "y"], *rows])
    table = read(file.getvalue(), ",")
    found = through(table).decode()
    expected = [row for row in csv.reader(io.StringIO(file.getvalue(), newline="")) if row]
    assert [row for row in csv.reader(io.StringIO(found, newline="")) if row] == expected
    assert (found == file.getvalue()) == (table.remarks == [])


def test_bytes_that_do_not_come_back_are_said(capsys):
    Path("in.csv").write_bytes(b"a,b\n1,2\r\n3,4\n")
    assert compress(["in.csv", "out.vq"]) == 0
    said = "warning: in.csv: all cells come back, but not all quotes, blank lines and line ends around them\n"
    assert capsys.readouterr().err.startswith(said)
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 0
    assert Path("back.csv").read_bytes() == b"a,b\n1,2\n3,4\n"


# -------------------------------------------------------------------------------------------------------- what is meant


def test_integers_of_64_bits_are_integers():
    table = read(TO_THE_BYTE["integers of 64 bits"])
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
    table = read(text, None, decimal)
    assert [column.dtype for column in table.columns] == types
    assert through(table) == text.encode()


def test_decimal_commas_within_a_bound():
    Path("in.csv").write_text("a;b\n" + "".join(f"{n / 7:.4f};{n}\n".replace(".", ",") for n in range(50)))
    assert compress(["in.csv", "out.vq", "--max-error", "0.01", "--quiet"]) == 0
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 0
    found = [line.split(";")[0] for line in Path("back.csv").read_text().splitlines()[1:]]
    values = np.array([float(text.replace(",", ".")) for text in found])
    assert np.abs(values - np.arange(50) / 7).max() <= 0.0101
    assert all("," in text for text in found[1:])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n0,5;1,5\n", ";"),
        ("0,5;1,5\n2,5;3,5\n", ";"),
        ("a,b;c\n1,2;3\n", ","),
        ("a\tb\n1,5\t2\n", "\t"),
        ("a|b,c|d\n1|2|3\n", "|"),
        ("text, and more;x\nplain;1\n", ";"),
        ('"a;b;c",d\n1,2\n', ","),
        ("a\n1\n", ","),
    ],
)
def test_the_delimiter_is_found(text, found):
    assert delimiter_of(text.encode()) == found


def test_a_delimiter_may_be_named():
    assert [column.name for column in read("a b c\n1 2 3\n", " ").columns] == ["a", "b", "c"]
    Path("in.csv").write_text("a:b\n0,5:1\n")
    assert compress(["in.csv", "out.vq", "--delimiter", ":", "--decimal", ",", "--quiet"]) == 0
    assert [column.dtype for column in StoredTable(Path("out.vq").read_bytes()).table().columns] == ["float64", "int64"]


@pytest.mark.parametrize("names", [b'"a,1",b', b"a,b", b"1,b"])
def test_the_first_line_names_columns_unless_it_holds_numbers(names):
    assert read(names + b"\n1,2\n").n_rows == 1
    assert read(b"1,2\n3,4\n").n_rows == 2


# ------------------------------------------------------------------------------------------------------ what is refused


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
    ("options", "said"),
    [
        (["--delimiter", "ab"], "expected one character"),
        (["--delimiter", '"'], "expected one character"),
        (["--delimiter", ",", "--decimal", ","], "expected different characters"),
        (["--decimal", ";"], "'--decimal'"),
    ],
)
def test_delimiters_that_are_none_are_refused(options, said, capsys):
    Path("in.csv").write_text("a,b\n1,2\n")
    assert compress(["in.csv", "out.vq", *options]) == 2
    assert said in capsys.readouterr().err


def test_other_tables_have_no_delimiter(capsys):
    np.save("in.npy", np.arange(3))
    assert compress(["in.npy", "out.vq", "--delimiter", ";"]) == 1
    assert "in.npy: --delimiter and --decimal are for .csv" in capsys.readouterr().err


def test_text_that_is_not_unicode_is_refused_as_csv():
    table = read("a\nx\n")
    table.columns[0].values = np.array(["\ud800"], object)
    with pytest.raises(SeriesError, match="text that is not Unicode"):
        write_table(table, io.BytesIO(), name="out.csv", suffix=".csv")


def test_columns_that_a_bound_does_not_reach_are_named(capsys):
    text = "when,word,x\n" + "".join(f"2020-01-01 00:00:{n:02},w,{n * n / 7}\n" for n in range(9))
    Path("in.csv").write_text(text)
    assert compress(["in.csv", "out.vq", "--max-error", "0.5"]) == 0
    assert capsys.readouterr().err.startswith(
        "warning: in.csv: --max-error does not reach 2 of 3 columns, which stay exact: 'when' (timestamp[s]), 'word' "
        "(string)\n"
    )
    assert compress(["in.csv", "out.vq", "--max-error", "0.5", "--force", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
