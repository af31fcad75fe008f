"""How cells are written: CSV comes back to the letter."""

from __future__ import annotations

import io

import numpy as np
import pytest
from series_files import csv_through, read_csv

from vqaudio.series import compress, read_table

LETTER_FOR_LETTER = {
    "integers": "a,b\n1,-5\n2,9223372036854775807\n",
    "fixed digits": "x\n-0.245\n0.100\n12.000\n",
    "as Python writes them": "x,y\n0.1,1e-05\n12.0,3.25\n-0.0,0.5\n",
    "without a point where whole": "x\n1.5\n2\n3.25\n-7\n",
    "a few that are odd": "x\n" + "1.25\n" * 100 + "1.250\n" + "0.50\n" * 50,
    "odd throughout": "x\n+1.5\n01.5\n1.5E0\n",
    "stamps": "date,x\n2016-07-01 00:00:00,1\n2016-07-01 01:00:00,2\n",
    "stamps with T and Z": "date,x\n2016-07-01T00:00:00Z,1\n2016-07-01T01:00:00Z,2\n",
    "stamps with parts of seconds": "date,x\n2016-07-01 00:00:00.250,1\n2016-07-01 01:00:00.500,2\n",
    "minutes": "date,x\n2016-07-01 00:00,1\n2016-07-01 01:00,2\n",
    "dates": "date,x\n2016-07-01,1\n2016-07-02,2\n",
    "hours": "at,x\n10:00:00,1\n11:30:00,2\n",
    "a stamp amiss": "date,x\n" + "".join(f"2016-07-01 00:{i:02}:00,{i}\n" for i in range(60)) + "2016-07-02,7\n",
    "gaps": "a,b,c\n1,,\n,0.5,\n3,0.25,\n",
    "gaps with a word": "a,b\n1,NaN\n2,0.5\n3,NaN\n4,\n",
    "truth": "a,b\nTrue,true\nFalse,false\n",
    "text": 'name,x\n"a,b",1\nc,2\n"say ""hi""",3\n',
    "names twice, and units": "U [V],U [V],t [s]\n1,2,3\n4,5,6\n",
    "semicolons": "a;b\n1;2.5\n3;4.5\n",
    "tabs": "a\tb\n1\t2.5\n",
    "line ends of Windows": "a,b\r\n1,2\r\n3,4\r\n",
    "no names": "1.5,2\n2.5,3\n",
    "one row": "x\n5\n",
    "a byte order mark aside": "ä,ö\n1,2\n",
}


FLOATS = {
    "large and small": "x,y\n0.1,1e-05\n12.0,3.25\n-0.0,1e+300\n",
    "beyond 64 bits": "x\n18446744073709551616\n5\n",
    "more digits than floats have": "x\n0.123456789012345678\n0.2\n",
}


@pytest.mark.parametrize("text", LETTER_FOR_LETTER.values(), ids=LETTER_FOR_LETTER)
@pytest.mark.parametrize("options", [["--lossless"], []])
def test_csv_comes_back_to_the_letter(text, options):
    assert csv_through(text, *options) == text


@pytest.mark.parametrize("name", ["fixed digits", "stamps", "gaps", "truth", "text", "dates", "gaps with a word"])
def test_types_of_csv_are_kept_within_a_bound(name):
    text = LETTER_FOR_LETTER[name]
    found = csv_through(text, "--max-error", "0.2")
    tables = [read_table(io.BytesIO(one.encode()), "x", suffix=".csv") for one in (text, found)]
    for before, after in zip(*(table.columns for table in tables), strict=True):
        assert (before.name, before.dtype) == (after.name, after.dtype)
        assert (before.cells == after.cells).all()
        if before.dtype == "float64":
            assert np.abs(before.values - after.values).max() <= 0.2
        else:
            assert before.values.tolist() == after.values.tolist()


def test_a_share_of_a_range_that_is_none_is_no_bound_on_texts():
    assert csv_through("a,b\n1,NaN\n2,0.50\n3,NaN\n4,\n", "--max-error", "1%") == "a,b\n1,NaN\n2,0.5\n3,NaN\n4,\n"


@pytest.mark.parametrize("text", FLOATS.values(), ids=FLOATS)
def test_floats_without_a_fixed_number_of_digits_come_back_if_asked_to(text):
    assert csv_through(text, "--lossless") == text


def test_floats_with_all_their_digits_come_back_with_them():
    values = np.random.default_rng(0).normal(size=200)
    text = "x\n" + "".join(f"{value!r}\n" for value in values.tolist())
    assert csv_through(text, "--lossless") == text


def test_decoded_decimals_are_short():
    values = np.random.default_rng(0).normal(size=500)
    found = csv_through("x\n" + "".join(f"{value}\n" for value in values.tolist()), "--max-error", "0.01")
    lines = found.splitlines()[1:]
    assert max(map(len, lines)) <= 5
    assert max(abs(float(line) - value) for line, value in zip(lines, values, strict=True)) <= 0.01


def test_digits_may_change_from_stretch_to_stretch():
    rows = [f"{row % 7}.{row % 10}{row % 3}00"[: 6 - row // 400 % 3] for row in range(2000)]
    rows += [str((row % 9 + 1) / 8).removesuffix(".0") for row in range(400)]
    text = "x\n" + "\n".join(rows) + "\n"
    assert csv_through(text) == text
    assert len(compress(read_csv(text))) < 1700


def test_values_that_are_written_as_no_others_are():
    rows = ["-200" if row % 5 == 0 else f"{row % 90 / 10:.1f}" for row in range(2000)]
    text = "x\n" + "\n".join(rows) + "\n"
    assert csv_through(text) == text
    assert read_csv(text).columns[0].dtype == "float64"
    assert len(compress(read_csv(text))) < 1300
