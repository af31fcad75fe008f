"""The header of a table's file, and the texts that docs/format.md specifies."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from vqaudio.errors import ContainerError
from vqaudio.series import chunk, header
from vqaudio.series.header import TableHeader

META = {"origin": {"suffix": ".csv"}, "columns": [{"name": "\ud800 µ", "dtype": "int64"}], "model": "0123456789ab"}


def test_there_and_back():
    data = TableHeader(META).to_bytes()
    found, size = TableHeader.from_file(io.BytesIO(data + b"more"), len(data) + 4)
    assert (found.meta, size, found.text) == (META, len(data), TableHeader(META).text)
    assert found.to_bytes() == data


def test_any_damaged_byte_or_cut_is_noticed():
    data = TableHeader(META).to_bytes()
    broken = [data[:end] for end in range(4, len(data))]
    broken += [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(4, len(data))]
    for one in broken:
        with pytest.raises(ContainerError, match="the header is damaged"):
            TableHeader.from_file(io.BytesIO(one), len(one))


def test_preset_dictionaries_are_those_that_are_specified():
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8").replace("\n", "")
    for text in (header.KNOWN_TEXT, chunk.KNOWN_TEXT):
        assert f"```{text.decode()}```" in page
