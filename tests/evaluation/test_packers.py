"""General compressors, on the very integers of a file."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vqaudio.evaluation.packers import PACKERS, IntegerColumn


def test_others_get_the_integers_of_the_file():
    """What they pack holds the decoded values, no more and no less."""
    numbers = [np.array([3, -2, 300, 300]), np.array([0, 1, 2, 3])]
    columns = [IntegerColumn(numbers[0], b"12345678"), IntegerColumn(numbers[1])]
    raw = gzip.decompress(PACKERS["gzip"](columns))
    assert raw == numbers[0].astype("<i2").tobytes() + b"12345678" + bytes([0, 1, 2, 3])
    plainly = pa.Codec("zstd").decompress(PACKERS["zstd"](columns), len(raw), asbytes=True)
    assert plainly == raw
    assert gzip.decompress(PACKERS["gzip of CSV"](columns)) == b"3,0\n-2,1\n300,2\n300,312345678"
    read = pq.read_table(io.BytesIO(PACKERS["Parquet-zstd"](columns[1:])))
    assert read.columns[0].to_pylist() == [0, 1, 2, 3]
