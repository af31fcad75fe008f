"""What a header and a chunk may say of columns."""

from __future__ import annotations

import numpy as np
import pytest
from series_tables import column, table

from vqaudio.container.fields import DamageError
from vqaudio.errors import ContainerError
from vqaudio.series import StoredTable
from vqaudio.series.chunk import decode_chunk, encode_chunk
from vqaudio.series.encodings.select import encode
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.header import TableHeader
from vqaudio.series.schema import parse_schema


def test_headers_that_describe_no_table_are_refused():
    for about in ({}, {"dtype": "object"}, {"bound": -1.0}, {"size": 1}, {"dictionary": {"index": "int8"}}):
        meta = {"origin": {"suffix": ".csv"}, "columns": [{"name": "x", "dtype": "float64"} | about if about else {}]}
        with pytest.raises(ContainerError, match="the header describes no table"):
            StoredTable(TableHeader(meta).to_bytes())


def test_chunks_that_are_none_of_their_table_are_damage():
    one = table(column([1.5, 2.5, 3.0]))
    encoded = [encode(one.columns[0], ColumnPlan(), lossless=True, name="x")]
    data, _ = encode_chunk(one, encoded, first_row=0, header_text=b"")
    said = {"int64": "is encoded as grid", "string": "is encoded as grid", "float64": None}
    for dtype, message in said.items():
        schema = parse_schema({"origin": {"suffix": ".csv"}, "columns": [{"name": "x", "dtype": dtype}]})
        if message is None:
            chunk = decode_chunk(data, schema, header_text=b"", rows=slice(0, 3))
            assert np.array_equal(chunk.columns[0].values("float64"), [1.5, 2.5, 3.0])
            continue
        with pytest.raises(DamageError, match=message):
            decode_chunk(data, schema, header_text=b"", rows=slice(0, 3))
    wide = parse_schema({"origin": {"suffix": ".csv"}, "columns": [{"name": "x", "dtype": "float64"}] * 2})
    with pytest.raises(DamageError, match="it describes 1 columns, expected 2"):
        decode_chunk(data, wide, header_text=b"", rows=slice(0, 3))
