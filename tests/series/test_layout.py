"""Chunks of a file that is damaged, cut or forged: found again, lost with their rows, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from series_tables import clock, column, long_table, table

from vqaudio.container.fields import crc16_bytes, crc32_bytes, varint
from vqaudio.errors import ContainerError
from vqaudio.series import StoredTable, compress, layout, writer
from vqaudio.series.chunk import KIND, KNOWN_TEXT
from vqaudio.series.described import pack
from vqaudio.series.header import TableHeader, most_rows
from vqaudio.series.table import VALUE

ABOUT = TableHeader({"origin": {"suffix": ".csv"}, "columns": [{"name": "x", "dtype": "int64"}]})
HEADER = ABOUT.to_bytes()


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 500)


def lost(stored: StoredTable) -> np.ndarray:
    return np.flatnonzero(stored.table().columns[0].cells != VALUE)


def test_a_chunk_that_is_missing_is_lost_with_its_rows_whether_there_is_an_index_or_not():
    data = compress(long_table())
    places = StoredTable(data).layout.places
    assert [place.rows for place in places] == [slice(start, start + 500) for start in range(0, 2500, 500)]
    without = data[: places[2].offset] + data[places[3].offset :]  # so that sizes are not those of the index
    for broken in (without, without[:-1]):
        stored = StoredTable(broken)
        assert lost(stored).tolist() == list(range(1000, 1500))
        assert list(map(str, stored.damage)) == [
            "its end is damaged: its chunks were looked for, and 2500 rows found",
            "chunk 2 (rows 1001 to 1500 are lost): it cannot be found",
        ]


def test_a_damaged_size_costs_no_other_chunk():
    data = bytearray(compress(long_table()))
    places = StoredTable(bytes(data)).layout.places
    data[places[1].offset + 1] ^= 0x55
    for broken in (bytes(data), bytes(data[:-1])):
        assert lost(StoredTable(broken)).tolist() == list(range(500, 1000))


def test_any_cut_leaves_the_chunks_before_it():
    data = compress(long_table())
    places = StoredTable(data).layout.places
    for end in range(places[1].offset, len(data), 7):
        stored = StoredTable(data[:end])
        assert stored.n_rows == 500 * sum(place.offset + place.size <= end for place in places)
        assert (stored.table().columns[0].cells == VALUE).all()
        assert len(stored.damage) == 1


def trailer_of(*numbers: int) -> bytes:
    body = b"\x7e" + b"".join(map(varint, numbers))
    return body + crc16_bytes(body) + (len(body) + 5).to_bytes(3, "little")


@pytest.mark.parametrize(
    "end",
    [
        b"",
        trailer_of(0, 0),
        trailer_of(1, 2**40, 20, 0) + b"",
        trailer_of(2**50, 0),
        bytes([KIND]) + varint(2**40 - 1),
        bytes([KIND]) * 1000,
        b"\xff" * 100,
    ],
)
def test_files_of_which_no_chunk_can_be_found_are_refused(end):
    with pytest.raises(ContainerError, match="no chunk of it can be found"):
        StoredTable(HEADER + end)


def forged(first: int, n_rows: int) -> bytes:
    described = pack(b"{}", KNOWN_TEXT + ABOUT.text)
    body = varint(first) + varint(n_rows) + varint(len(described)) + described + bytes(30)
    framed = bytes([KIND]) + varint(len(body)) + body
    return framed + crc32_bytes(framed)


def test_rows_that_no_file_of_its_size_can_have_are_not_believed():
    """A right checksum around a first row far away, or around more rows than a chunk has."""
    for chunk in (forged(2**60, 1), forged(most_rows(1) * 100, 1), forged(0, most_rows(1) + 1), forged(0, 0)):
        with pytest.raises(ContainerError, match="no chunk of it can be found"):
            StoredTable(HEADER + chunk)
    assert StoredTable(HEADER + forged(most_rows(1) * 3, 1)).n_rows == most_rows(1) * 3 + 1


def test_looking_for_chunks_takes_time_in_proportion(monkeypatch):
    """A file of nothing but beginnings of chunks, each of which says that it is as long as the file."""
    piece = bytes([KIND]) + varint(150_000)
    data = HEADER + piece * 50_000
    summed = []
    checked = layout.crc32_bytes
    monkeypatch.setattr(layout, "crc32_bytes", lambda data: summed.append(len(data)) or checked(data))
    with pytest.raises(ContainerError):
        StoredTable(data)
    assert sum(summed) <= layout.LOOKS * len(data)


def test_columns_that_are_too_many_for_the_rows_have_short_chunks():
    assert most_rows(1) == 2**20
    assert most_rows(4096) == most_rows(10**6) == 1024
    many = table(clock(700), *(column(np.arange(700) * n) for n in range(3)))
    assert len(StoredTable(compress(many)).layout.places) == 2
