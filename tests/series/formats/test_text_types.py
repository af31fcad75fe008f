"""Texts that are numbers or times but for a few cells, as columns of those, to the letter."""

from __future__ import annotations

import io

import numpy as np
import pytest
from series_files import through_memory

from vqaudio.series import MaxError, StoredTable, compress, read_table, write_table
from vqaudio.series.table import NULL

pa = pytest.importorskip("pyarrow")
from vqaudio.series.formats.text_types import TextTypeFinder, typed_column  # noqa: E402


def typed(texts, **options):
    return typed_column("x", pa.array(texts), **options)


@pytest.mark.parametrize("odd", ["?", "n/a", "trace", "1 2", "0x10", "--"])
def test_a_column_of_numbers_but_for_a_few_cells_is_one_of_numbers(odd):
    column = typed(["1.50", odd, "-2.25e1", ""] + ["3"] * 40)
    assert column.dtype == "float64"
    assert column.values[:3].tolist() == [1.5, 0.0, -22.5]
    assert column.cells[:5].tolist() == [0, NULL, 0, NULL, 0]


def test_integers_stay_integers_and_names_of_digits_texts():
    assert typed(["1", "-20", "?", str(10**18 - 1)] + ["7"] * 40).dtype == "int64"
    assert typed(["007", "012", "?"] * 40) is None


def test_decimal_commas_are_read_where_the_file_has_them():
    column = typed(["1,5", "?"] + ["2,25"] * 40, point=",")
    assert column.values[[0, 2]].tolist() == [1.5, 2.25]
    assert column.style == {"point": ","}
    assert typed(["1,5", "?"] + ["2,25"] * 40) is None


@pytest.mark.parametrize("texts", [["a", "b"] * 20, ["1", "x"] * 20, [""] * 40, ["1", "?"], ["Monday", "1/2/2020"] * 9])
def test_other_columns_are_texts(texts):
    assert typed(texts) is None


def test_order_of_days_and_months_shows_in_the_rows():
    days = np.datetime64("2020-01-01") + np.arange(40) % 12
    for pattern in ("%d/%m/%Y", "%m/%d/%Y"):
        texts = [day.item().strftime(pattern) for day in days]
        assert typed(texts).style == {"pattern": pattern}


def test_a_type_is_decided_over_all_pieces():
    finder = TextTypeFinder()
    finder.add(pa.array([""] * 9))
    finder.add(pa.array([f"{number}.5" for number in range(50)]))
    assert finder.found().dtype == "float64"
    finder.add(pa.array(["x"] * 5))
    assert finder.found() is None
    finder = TextTypeFinder()
    finder.add(pa.array(["a", "b"]))
    assert finder.is_over


ROWS = [
    f"{row // 24 % 28 + 1}/{row // 672 + 1}/2007;{row % 24:02}.00.00;{row % 7}.{row % 10}0;a\r\n" for row in range(900)
]
ODD_ROWS = "?;01.00.00;?;b\r\n;;n/a;\r\n31/2/2007;24.00.00;007;c\r\n+5;1;+5.00;\r\n"
CSV = "day;hour;load;note\r\n" + "".join(ROWS) + ODD_ROWS


def test_a_csv_of_such_columns_comes_back_to_the_letter():
    table = read_table(io.BytesIO(CSV.encode()), "x.csv", suffix=".csv")
    assert [column.dtype for column in table.columns] == ["date32", "time32[s]", "float64", "string"]
    assert through_memory(CSV.encode(), ".csv") == CSV.encode()


def test_odd_cells_come_back_under_a_bound_too():
    table = read_table(io.BytesIO(CSV.encode()), "x.csv", suffix=".csv")
    back = StoredTable(compress(table, MaxError(0.5))).table()
    out = io.BytesIO()
    write_table(back, out, name="x.csv", suffix=".csv")
    rows = out.getvalue().decode().splitlines()
    assert rows[1].startswith("1/1/2007;00.00.00;")
    assert [row.split(";")[:2] for row in rows[-4:-2]] == [["?", "01.00.00"], ["", ""]]
    assert [row.split(";")[2] for row in rows[-4:-1]] == ["?", "n/a", "007"]


def test_gaps_without_quotes_among_cells_that_all_have_them_come_back():
    """R writes so."""
    for gap in ("NA", ""):
        text = '"a","b"\n1,"x"\n2,"y"\n' + f'3,{gap}\n4,"z, z"\n'
        assert through_memory(text.encode(), ".csv") == text.encode()
