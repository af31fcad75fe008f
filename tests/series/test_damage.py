"""Chunks that are lost, doubled or out of place, and the end of a file: what is left is read, what is lost is said."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from series_tables import long_table

from vqaudio.decompress import main as decompress
from vqaudio.errors import ContainerError
from vqaudio.info import main as info
from vqaudio.series import StoredTable, Table, compress, writer
from vqaudio.series.table import NULL

ROWS, CHUNK_ROWS = 2500, 500
HEADER, TRAILER = 0, -1


@pytest.fixture(scope="module")
def original() -> Table:
    return long_table(ROWS)


@pytest.fixture(scope="module")
def pieces(original: Table) -> list[bytes]:
    """Header, five chunks, trailer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "chunk_rows_for", lambda n_columns: CHUNK_ROWS)
        data = compress(original)
    places = StoredTable(data).layout.places
    chunks = [data[place.offset : place.offset + place.size] for place in places]
    start, stop = places[0].offset, places[-1].offset + places[-1].size
    return [data[:start], *chunks, data[stop:]]


def read(data: bytes) -> tuple[Table, StoredTable]:
    stored = StoredTable(data, "t.vq")
    return stored.table(), stored


def check_left(found: Table, original: Table, lost: range) -> None:
    """Rows are where they were; the lost ones are gaps, or at the end not there."""
    for before, after in zip(original.columns, found.columns, strict=True):
        rows = len(after.cells)
        gone = np.isin(np.arange(rows), lost)
        assert (after.cells[gone] == NULL).all()
        assert (after.cells[~gone] == before.cells[:rows][~gone]).all()
        assert (after.values[~gone] == before.values[:rows][~gone]).all()


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_a_chunk_that_is_missing_leaves_a_gap(original, pieces, chunk):
    left = pieces[:chunk] + pieces[chunk + 1 :]
    found, stored = read(b"".join(left))
    assert found.n_rows == ROWS
    assert stored.damage
    check_left(found, original, range((chunk - 1) * CHUNK_ROWS, chunk * CHUNK_ROWS))


def test_a_chunk_that_stands_twice_is_read_once(original, pieces):
    found, stored = read(b"".join([*pieces[:3], pieces[2], *pieces[3:]]))
    assert stored.damage
    check_left(found, original, range(0))
    assert found.n_rows == ROWS


def test_chunks_in_another_order_are_never_in_the_wrong_rows(original, pieces):
    order = [pieces[at] for at in (0, 1, 3, 2, 4, 5, 6)]
    found, stored = read(b"".join(order))
    assert stored.damage
    check_left(found, original, range(CHUNK_ROWS, 3 * CHUNK_ROWS) if stored.n_rows == ROWS else range(0))


@pytest.mark.parametrize("kept", range(5))
def test_a_file_cut_between_chunks_or_within_one_keeps_what_came_before(original, pieces, kept):
    for data in (b"".join(pieces[: kept + 1]), b"".join(pieces[: kept + 1]) + pieces[kept + 1][:-1]):
        if not kept:
            with pytest.raises(ContainerError, match="no chunk of it can be found"):
                read(data)
            continue
        found, stored = read(data)
        assert stored.damage
        assert found.n_rows == kept * CHUNK_ROWS
        check_left(found, original, range(0))


def test_a_chunk_of_another_table_is_refused(pieces):
    """It may be whole: its description is read with what the header says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "chunk_rows_for", lambda n_columns: CHUNK_ROWS)
        other = long_table(ROWS)
        other.columns[1].name = "another name"
        other.columns[1].values = other.columns[1].values[::-1].copy()
        data = compress(other)
    place = StoredTable(data).layout.places[1]
    foreign = data[place.offset : place.offset + place.size]
    _, stored = read(b"".join([*pieces[:2], foreign, *pieces[3:]]))
    assert stored.damage


def test_commands_tell_of_damage_by_their_status(pieces, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("whole.vq").write_bytes(b"".join(pieces))
    Path("broken.vq").write_bytes(b"".join([*pieces[:2], *pieces[3:]]))
    assert decompress(["whole.vq", "whole.csv", "--quiet"]) == info(["whole.vq"]) == 0
    capsys.readouterr()
    assert decompress(["broken.vq", "broken.csv", "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "rows 501 to 1000 are lost" in said
    assert "Traceback" not in said
    assert len(Path("broken.csv").read_text().splitlines()) == ROWS + 1
    assert info(["broken.vq"]) == 1


def test_a_long_file_of_noise_is_looked_through_in_little_memory(pieces):
    noise = np.random.default_rng(0).integers(0, 256, 4 << 20, np.uint8).tobytes()
    data = pieces[HEADER] + noise + b"".join(pieces[1:])
    tracemalloc.start()
    try:
        stored = StoredTable(data, "t.vq")
        assert stored.damage
        assert stored.n_rows >= ROWS
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()
