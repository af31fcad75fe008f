"""What visitors bring as tables, and the one that is made up."""

from __future__ import annotations

import io
import re
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_server import ROOT

from vqaudio.errors import SeriesError, VqaudioError
from vqaudio.series import compress, read_table

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'", exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("default")  # other people's packages warn as they like

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from demo import tables


def test_the_made_up_table_is_always_the_same_and_has_what_tables_have():
    assert tables.made_up() == tables.made_up()
    table = read_table(io.BytesIO(tables.made_up().encode()), "a.csv", suffix=".csv")
    assert [column.dtype for column in table.columns] == ["timestamp[s]", "float64", "float64", "float64", "int64"]
    assert [int((~column.known).sum()) for column in table.columns] == [0, 0, 0, 100, 0]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("long.csv", "long.csv: has 500,000 rows of 1 columns, and this page takes at most 400,000 cells"),
        ("long.parquet", "long.parquet: has 500,000 rows of 1 columns"),
        ("large.npz", "large.npz: holds 114 MiB once unpacked"),
        ("broken.parquet", "broken.parquet: cannot be read as Parquet"),
        ("broken.npz", "broken.npz: cannot be read as .npz"),
        ("a.wav", "a.wav: is no table by its name"),
    ],
)
def test_tables_that_are_too_large_or_none_are_refused_by_name(tmp_path, name, sentence):
    path = tmp_path / name
    if name == "long.csv":
        path.write_text("1\n" * 500_000)
    elif name == "long.parquet":
        pq.write_table(pa.table({"x": np.zeros(500_000)}), path)
    elif name == "large.npz":
        np.savez_compressed(path, x=np.zeros(15_000_000))
    else:
        path.write_bytes(b"nonsense")
    with pytest.raises(SeriesError, match=re.escape(sentence)) as caught:
        tables.read(str(path))
    assert str(tmp_path) not in str(caught.value)


def test_a_stored_table_that_is_too_large_is_not_decoded(tmp_path):
    """Zeros take next to no bytes, so that a small file can hold very many."""
    path = tmp_path / "zeros.vq"
    np.save(tmp_path / "zeros.npy", np.zeros(500_000, np.int8))
    with (tmp_path / "zeros.npy").open("rb") as file:
        path.write_bytes(compress(read_table(file, "zeros.npy", suffix=".npy")))
    assert path.stat().st_size < 1000
    with pytest.raises(SeriesError, match=r"zeros\.vq: has 500,000 rows"):
        tables.read_stored(str(path))
    with pytest.raises(VqaudioError, match=r"tiny\.vq: holds no table"):
        tables.read_stored(str(ROOT / "tests" / "golden" / "tiny.vq"))
