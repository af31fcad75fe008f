"""Wrote ``fields-4.vq``, ``fields.csv`` (what that decodes to) and ``types-4.vq``; run again only for a new version.

``fields.vq`` and ``types.vq`` are of the same tables in version 2, which is not written any more.

``python tests/golden/make_fields.py``
"""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vqaudio.series import compress, read_table

HERE = Path(__file__).parent
CSV = (
    b'\xef\xbb\xbf\r\n"word\r\n(first)";x;id\r\n"a;b";0,50;9223372036854775808\r\n\r\n"c";NA;18446744073709551615\r\n'
    b'"d";-1,25;'
)


def main() -> None:
    (HERE / "fields.csv").write_bytes(CSV)
    (HERE / "fields-4.vq").write_bytes(compress(read_table(io.BytesIO(CSV), "fields.csv", suffix=".csv")))
    arrays = [
        pa.array([Decimal("1.25"), None, Decimal("-0.05")], pa.decimal128(10, 2)),
        pa.array([Decimal(10) ** 29, Decimal("-0.1"), Decimal(0)], pa.decimal128(38, 1)),
        pa.array([b"\x00\xff", None, b"ab"], pa.binary(2)),
        pa.DictionaryArray.from_arrays(pa.array([2, 0, None], pa.int8()), ["low", "never", "high"], ordered=True),
        pa.array(np.array([np.inf, 1.5, 0], np.float32)),
    ]
    names = ["price", "wide", "raw", "kind", "odd"]
    fields = [pa.field(name, array.type, nullable=name != "wide") for name, array in zip(names, arrays, strict=True)]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), file)
    (HERE / "types-4.vq").write_bytes(compress(read_table(file, "types.parquet", suffix=".parquet"), lossless=True))


if __name__ == "__main__":
    main()
