"""Tables from one format to another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from series_files import through

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress


def test_csv_to_parquet_and_arrays():
    Path("in.csv").write_text("date,x,n\n2020-01-01 00:00:00,0.5,1\n2020-01-01 00:00:01,,2\n")
    table = pq.read_table(through("in.csv", back="out.parquet"))
    assert table.schema.types == [pa.timestamp("ms"), pa.float64(), pa.int64()]
    assert table["x"].to_pylist() == [0.5, None]
    with np.load(through("in.csv", back="out.npz")) as arrays:
        assert [arrays[name].dtype.str for name in ("date", "x", "n")] == ["<M8[s]", "<f8", "<i8"]
        np.testing.assert_array_equal(arrays["x"], [0.5, np.nan])


def test_arrays_to_csv():
    np.save("in.npy", np.array([[1.5, np.nan], [2.0, 4.0]], np.float32))
    assert through("in.npy", back="out.csv").read_text() == "0,1\n1.5,nan\n2.0,4.0\n"


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("a,b\n1,0.5\n2,0.25\n", "out.npy", "columns of float64, int64 do not fit one array"),
        ("a,b\n1,2\n,3\n", "out.npy", "column 'a' has 1 gaps, which arrays of int64 cannot hold"),
        ("a\n1\n", "out.wav", "file.vq holds a table; name an output in .csv"),
        ("a\n1\n", "out", "file.vq holds a table; name an output in .csv"),
    ],
)
def test_outputs_that_cannot_hold_a_table(text, name, said, capsys):
    Path("in.csv").write_text(text)
    assert compress(["in.csv", "file.vq", "--quiet"]) == 0
    assert decompress(["file.vq", name]) == 1
    assert said in capsys.readouterr().err
    assert not Path(name).exists()
