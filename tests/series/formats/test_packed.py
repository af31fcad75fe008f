"""CSV that is packed, in and out."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.errors import SeriesError
from vqaudio.series.formats.in_pieces import open_table
from vqaudio.series.formats.suffixes import sniffed_suffix, suffix_of

TEXT = b"t,x\n" + b"".join(b"%d,%d.50\n" % (row, row * row % 7) for row in range(50))


@pytest.mark.parametrize(("suffix", "method"), [(".csv.gz", "gzip"), (".csv.zst", "zstd")])
def test_packed_csv_there_and_back(suffix, method):
    with pa.CompressedOutputStream(f"in{suffix}", method) as file:
        file.write(TEXT)
    assert compress([f"in{suffix}", "file.vq", "--quiet"]) == 0
    assert decompress(["file.vq", "back.csv", "--quiet"]) == 0
    assert Path("back.csv").read_bytes() == TEXT
    assert decompress(["file.vq", f"back{suffix}", "--quiet"]) == 0
    with pa.CompressedInputStream(f"back{suffix}", method) as file:
        assert file.read() == TEXT
    with Path(f"in{suffix}").open("rb") as file:
        assert sniffed_suffix(file) == suffix


def test_parts_that_were_packed_each_are_read_together():
    data = gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])
    (piece,) = open_table(io.BytesIO(data), "in.csv.gz", suffix=".csv.gz").pieces(1000)
    assert piece.n_rows == 50


@pytest.mark.parametrize("data", [gzip.compress(TEXT)[:-30], TEXT])
def test_damaged_packed_files_are_refused(data):
    with pytest.raises(SeriesError, match=r"in.csv.gz: cannot be unpacked by gzip \("):
        open_table(io.BytesIO(data), "in.csv.gz", suffix=".csv.gz")


def test_an_empty_packed_file_is_refused():
    with pytest.raises(SeriesError, match=r"in.csv.gz: is empty"):
        open_table(io.BytesIO(gzip.compress(b"")), "in.csv.gz", suffix=".csv.gz")


def test_names_with_capitals_are_known():
    assert suffix_of(Path("A.CSV.GZ")) == ".csv.gz"
    assert suffix_of(Path("a.gz")) == suffix_of(Path("a.csv.xz")) == ""
