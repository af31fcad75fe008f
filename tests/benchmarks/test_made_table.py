"""The table that speed is measured with."""

from __future__ import annotations

import numpy as np
from click.testing import CliRunner

from benchmarks.made_table import made_table, main
from vqaudio.series import read_table


def test_it_is_the_same_each_time_and_of_many_kinds(tmp_path):
    table = made_table(2000)
    assert [column.name for column in table.columns] == ["temperature", "vibration", "counts", "load"]
    assert (np.diff(table.columns[2].values) >= 0).all()
    done = CliRunner().invoke(main, [str(tmp_path / "made" / "x.parquet"), "--rows", "2000"])
    assert done.exit_code == 0, done.output
    with (tmp_path / "made" / "x.parquet").open("rb") as file:
        found = read_table(file, "x.parquet", suffix=".parquet")
    assert all((a.values == b.values).all() for a, b in zip(table.columns, found.columns, strict=True))
