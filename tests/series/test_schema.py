"""What a header may say of columns."""

from __future__ import annotations

import pytest

from vqaudio.errors import ContainerError
from vqaudio.series import StoredTable
from vqaudio.series.header import TableHeader


def test_headers_that_describe_no_table_are_refused():
    for about in ({}, {"dtype": "object"}, {"way": ["code", {}]}, {"way": ["grid", {"size": 1}]}, {"stored": "V8"}):
        whole = {"name": "x", "dtype": "float64", "stored": "float64", "way": ["bits", {}]} | about
        meta = {"origin": {"suffix": ".csv"}, "columns": [whole if about else {}]}
        with pytest.raises(ContainerError, match="the header describes no table"):
            StoredTable(TableHeader(0, 1, meta).to_bytes())
