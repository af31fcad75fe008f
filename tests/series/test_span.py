"""Some rows of a file: by number, by time, and only the chunks that hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from series_tables import GOLDEN, clock, column, long_table, table

from vqaudio.compress import main as compress_command
from vqaudio.decompress import main as decompress
from vqaudio.errors import SeriesError
from vqaudio.series import StoredTable, compress, writer
from vqaudio.series.span import RowSpan


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch, tmp_path):
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 500)
    monkeypatch.chdir(tmp_path)


def read(stored: StoredTable, span: RowSpan) -> tuple[list[int], int]:
    """The clock's values, and how many rows were decoded for them."""
    rows: list[int] = []
    found = stored.table(rows.append, start=span.start, end=span.end)
    return found.columns[0].values.tolist(), sum(rows)


HOURS = (np.arange(2500) * 3600 + 1_467_331_200).tolist()  # from 2016-07-01 on


@pytest.mark.parametrize(
    ("span", "rows", "decoded"),
    [
        (RowSpan(0, 10), slice(0, 10), 500),
        (RowSpan(499, 501), slice(499, 501), 1000),
        (RowSpan(2400), slice(2400, 2500), 500),
        (RowSpan(None, 1), slice(0, 1), 500),
        (RowSpan("2016-07-02", "2016-07-03"), slice(24, 48), 500),
        (RowSpan("2016-07-01T00:00", "2016-07-01T00:00:01"), slice(0, 1), 500),
        (RowSpan("2016-07-01T00:00:00.5", "2016-07-01 02"), slice(1, 2), 500),
        (RowSpan(np.datetime64("2016-10-01")), slice(2208, 2500), 500),
        (RowSpan(None, "2016-07-22"), slice(0, 504), 1000),
    ],
)
def test_rows_are_found_and_no_other_chunk_is_decoded(span, rows, decoded):
    assert read(StoredTable(compress(long_table())), span) == (HOURS[rows], decoded)


def test_times_that_go_back_are_found_wherever_they_stand():
    back = clock(1000)
    back.values = np.concatenate([back.values[:600], back.values[:400]])
    stored = StoredTable(compress(table(back, np.arange(1000))))
    found = stored.table(start="2016-07-01", end="2016-07-01T02")
    assert found.columns[1].values.tolist() == [0, 1, 600, 601]


def test_an_old_file_has_spans_as_well():
    stored = StoredTable((GOLDEN / "table.vq").read_bytes())
    whole = stored.table()
    assert stored.table(start=240, end=260).columns[0].values.tolist() == whole.columns[0].values[240:260].tolist()


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (RowSpan(2500), "t.vq: has 2500 rows, and none of those from 2501"),
        (RowSpan(10, 10), "t.vq: has 2500 rows, and none of those from 11 to 10"),
        (RowSpan("2030-01-01"), "t.vq: has no rows from 2030-01-01 to "),
        (RowSpan("2016-07-02", "2016-07-01"), "t.vq: has no rows from 2016-07-02 to 2016-07-01: expected START < END"),
    ],
)
def test_spans_without_rows_are_refused(span, said):
    with pytest.raises(SeriesError, match=said):
        StoredTable(compress(long_table()), "t.vq").table(start=span.start, end=span.end)


def test_what_is_no_span_is_refused():
    with pytest.raises(SeriesError, match=r"2016-13-01: is no time .*; expected one like 2016-07-01T12:00"):
        RowSpan("2016-13-01")
    with pytest.raises(SeriesError, match="expected the numbers of two rows, or two times"):
        RowSpan(3, "2016-07-01")
    with pytest.raises(SeriesError, match=r"t\.vq: has no column of dates or time stamps"):
        StoredTable(compress(table(column([1, 2]))), "t.vq").table(start="2016-07-01")


def test_commands_take_spans(capsys):
    lines = [f"2016-07-01 {n // 60:02}:{n % 60:02}:00,{n * n % 11}\n" for n in range(1200)]
    Path("in.csv").write_text("when,x\n" + "".join(lines))
    assert compress_command(["in.csv", "in.vq", "--quiet"]) == 0
    for options, rows in (
        (["--start", "1000", "--end", "1100"], slice(999, 1100)),
        (["--end", "2"], slice(0, 2)),
        (["--start", "2016-07-01T01:00", "--end", "2016-07-01T01:02"], slice(60, 62)),
    ):
        assert decompress(["in.vq", "out.csv", "--quiet", "--force", *options]) == 0
        assert Path("out.csv").read_text() == "when,x\n" + "".join(lines[rows])
    capsys.readouterr()
    for option, said in (
        ("0", "in.vq: has no row 0: rows are counted from 1"),
        ("1300", "in.vq: has 1200 rows, and none of those from 1300"),
        ("1:30", "1:30: is no time"),
    ):
        assert decompress(["in.vq", "none.csv", "--start", option]) == 1
        assert f"error: {said}" in capsys.readouterr().err
    assert not Path("none.csv").exists()
