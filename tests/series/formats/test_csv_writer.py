"""CSV in all its dialects comes back as it stood."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_files import read_csv, through_csv

from vqaudio.errors import SeriesError
from vqaudio.series import write_table

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
    table = read_csv(data)
    assert through_csv(table) == data
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
    table = read_csv(file.getvalue(), delimiter=",")
    found = through_csv(table).decode()
    expected = [row for row in csv.reader(io.StringIO(file.getvalue(), newline="")) if row]
    assert [row for row in csv.reader(io.StringIO(found, newline="")) if row] == expected
    assert (found == file.getvalue()) == (table.remarks == [])


def test_text_that_is_not_unicode_is_refused_as_csv():
    table = read_csv("a\nx\n")
    table.columns[0].values = np.array(["\ud800"], object)
    with pytest.raises(SeriesError, match="text that is not Unicode"):
        write_table(table, io.BytesIO(), name="out.csv", suffix=".csv")
