"""Files of tables that are opened: damage, what is no table, and files of earlier versions."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from series_models import as_table, dice, good_at_dice, saved
from series_tables import GOLDEN, long_table, table

from vqaudio.errors import ContainerError, ModelError
from vqaudio.series import StoredTable, compress, model_named, write_table, writer
from vqaudio.series.table import NULL, VALUE, Dictionary


@pytest.fixture
def _short_chunks(monkeypatch):
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 1000)


@pytest.mark.usefixtures("_short_chunks")
def test_a_damaged_chunk_is_reported_and_its_rows_are_gaps():
    original = long_table()
    data = compress(original)
    stored = StoredTable(data)
    places = stored.layout.places
    assert len(places) == 3
    broken = bytearray(data)
    broken[places[1].offset + places[1].size // 2] ^= 1
    stored = StoredTable(bytes(broken))
    found = stored.table()
    lost = slice(1000, 2000)
    (damage,) = stored.damage
    assert str(damage) == "chunk 1 (rows 1001 to 2000 are lost): its checksum does not match its bytes"
    for before, after in zip(original.columns, found.columns, strict=True):
        assert (after.cells[lost] == NULL).all()
        kept = after.cells == VALUE
        assert kept.sum() == 1500
        assert (after.values[kept] == before.values[kept]).all()


@pytest.mark.usefixtures("_short_chunks")
def test_a_file_that_was_cut_off_loses_its_end_alone():
    data = compress(long_table())
    places = StoredTable(data).layout.places
    stored = StoredTable(data[: places[2].offset + 20])
    assert stored.table().n_rows == stored.n_rows == 2000
    assert list(map(str, stored.damage)) == ["it ends early: 2000 rows of it are here"]
    for whole in (data[:-1], data + b"x", data[: places[2].offset + places[2].size]):
        stored = StoredTable(whole)
        assert stored.table().n_rows == 2500
        assert list(map(str, stored.damage)) == ["its end is damaged: its chunks were looked for, and 2500 rows found"]
    with pytest.raises(ContainerError, match="no chunk of it can be found"):
        StoredTable(data[: places[0].offset + 20])


def test_no_flipped_bit_passes_unnoticed():
    original = table([1, 2, 4, 8], [0.5, 0.25, np.nan, 3.0])
    data = compress(original)
    for at in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[at] ^= 1 << bit
            try:
                stored = StoredTable(bytes(broken))
            except ContainerError:
                continue
            stored.table()
            assert stored.damage


def test_what_is_no_table_is_named():
    data = compress(table([1, 2]))
    with pytest.raises(ContainerError, match=r"f\.vq: holds no table"):
        StoredTable(b"\x8aVQ\x01" + data[4:], "f.vq")
    with pytest.raises(ContainerError, match="the header is damaged"):
        StoredTable(data[:20])
    with pytest.raises(ContainerError, match="the header is damaged"):
        StoredTable(data[:40].replace(data[8:12], b"abcd"))


@pytest.mark.parametrize("version", ["", "-4"])
def test_a_file_of_yore_reads_as_it_did(version):
    """Two chunks with times, floats, integers, words, gaps and literals; writers may well make a smaller one."""
    stored = StoredTable((GOLDEN / f"table{version}.vq").read_bytes())
    assert (len(stored.layout.places), stored.header.version) == (2, 4 if version else 2)
    file = io.BytesIO()
    write_table(stored.table(), file, name="table.csv", suffix=".csv")
    assert stored.damage == []
    assert file.getvalue() == (GOLDEN / f"table{version}.csv").read_bytes()


@pytest.mark.parametrize("version", ["", "-4"])
def test_a_file_with_later_keys_reads_as_it_did(version):
    """A dialect of CSV, decimals, bytes and a dictionary (``golden/make_fields.py``)."""
    stored, file = StoredTable((GOLDEN / f"fields{version}.vq").read_bytes()), io.BytesIO()
    write_table(stored.table(), file, name="fields.csv", suffix=".csv")
    assert file.getvalue() == (GOLDEN / "fields.csv").read_bytes()
    types = StoredTable((GOLDEN / f"types{version}.vq").read_bytes()).table()
    made = [(one.name, one.dtype, one.nullable, one.dictionary, one.values.tolist()) for one in types.columns]
    words = Dictionary("int8", True, ("low", "never", "high"))
    assert made == [
        ("price", "decimal128(10, 2)", True, None, [125, 0, -5]),
        ("wide", "decimal128(38, 1)", False, None, [str(10**30), "-1", "0"]),
        ("raw", "fixed_size_binary[2]", True, None, ["\x00\xff", "", "ab"]),
        ("kind", "string", True, words, ["high", "low", ""]),
        ("odd", "float32", True, None, [math.inf, 1.5, 0.0]),
    ]


def test_a_model_that_is_missing_is_named(tmp_path):
    one, other = (model_named(str(make(tmp_path / f"{make.__name__}.safetensors"))) for make in (good_at_dice, saved))
    data = compress(as_table(*map(dice, range(6))), model=one)
    told = f"t.vq: was written by the series model {one.fingerprint}, which is not shipped here"
    with pytest.raises(ModelError, match=f"{told}: give its file with --model"):
        StoredTable(data, "t.vq").table()
    with pytest.raises(ModelError, match=f"{told} and is not the one given \\({other.fingerprint}\\)"):
        StoredTable(data, "t.vq", model=other).table()
