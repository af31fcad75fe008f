"""Files of version 2 that no writer made: each is refused in one sentence, or decoded in time and memory to match."""

from __future__ import annotations

import json
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vqaudio.container.fields import DamageError, crc16_bytes, crc32_bytes, varint, zigzag
from vqaudio.decompress import main as decompress
from vqaudio.errors import ContainerError
from vqaudio.series import Column, StoredTable, Table, compress, header
from vqaudio.series.prediction.predictor import LINEAR, Linear

ORIGIN: dict[str, Any] = {"suffix": ".csv"}
WHOLE: dict[str, Any] = {"name": "x", "dtype": "int64", "stored": "int64", "way": ["whole", {}]}
FLOAT: dict[str, Any] = {"name": "x", "dtype": "float64", "stored": "float64", "way": ["bits", {}]}
TEXT: dict[str, Any] = {"name": "x", "dtype": "string", "stored": "object", "way": ["words", {"words": ["a"]}]}


def a_file(
    described: bytes | dict[str, Any], n_rows: int = 1, chunk_rows: int = 1, chunks: tuple[bytes, ...] = ()
) -> bytes:
    """A file with right checksums around whatever ``meta`` it is given."""
    text = described if isinstance(described, bytes) else json.dumps(described).encode()
    packed = zlib.compress(text, 9)
    data = b"\x8aVQ\x02" + varint(len(packed)) + packed + varint(n_rows) + varint(chunk_rows)
    data += b"".join(varint(len(chunk)) for chunk in chunks or (b"",) * -(-n_rows // chunk_rows))
    return data + crc32_bytes(data) + b"".join(chunks)


def a_chunk(column: bytes, numbers: np.ndarray) -> bytes:
    data = varint(0) + varint(0) + varint(0) + column
    data += crc16_bytes(numbers.astype("<i8").tobytes() + bytes(len(numbers)))
    return data + crc32_bytes(data)


def with_column(**changed: Any) -> dict[str, Any]:
    return {"origin": ORIGIN, "columns": [WHOLE | changed]}


# -------------------------------------------------------------------------------------------------------- descriptions

NO_TABLES: dict[str, dict[str, Any] | bytes] = {
    "a number": b"7",
    "a list": b"[]",
    "nothing": {},
    "no columns": {"origin": ORIGIN, "columns": []},
    "no suffix": {"origin": {}, "columns": [WHOLE]},
    "another suffix": {"origin": {"suffix": ".exe"}, "columns": [WHOLE]},
    "a suffix that is no text": {"origin": {"suffix": 3}, "columns": [WHOLE]},
    "a long delimiter": {"origin": ORIGIN | {"delimiter": ", "}, "columns": [WHOLE]},
    "a key of the origin": {"origin": ORIGIN | {"volume": 1}, "columns": [WHOLE]},
    "a key of the file": {"origin": ORIGIN, "columns": [WHOLE], "more": 1},
    "a key of the column": with_column(colour="red"),
    "arrays too narrow": {"origin": {"suffix": ".npy", "arrays": {"": [2, 3]}}, "columns": [WHOLE]},
    "arrays of no dimension": {"origin": {"suffix": ".npz", "arrays": {"a": [0]}}, "columns": [WHOLE]},
    "metadata beyond bytes": {"origin": ORIGIN | {"metadata": {"a": "€"}}, "columns": [WHOLE]},
    "no name": {"origin": ORIGIN, "columns": [{key: WHOLE[key] for key in ("dtype", "stored", "way")}]},
    "an unknown type": with_column(dtype="complex128"),
    "another storage": with_column(stored="float64"),
    "an unknown way": with_column(way=["code", {}]),
    "a way without arguments": with_column(way=["whole"]),
    "a way of floats": with_column(way=["bits", {}]),
    "a way with other arguments": with_column(way=["whole", {"size": 1}]),
    "a step of nothing": with_column(way=["whole", {"step": 0}]),
    "a step too wide": with_column(way=["whole", {"step": 2**63}]),
    "a least beyond 64 bits": with_column(way=["whole", {"least": 2**64}]),
    "a span that is no number": with_column(way=["whole", {"span": "1"}]),
    "a scale of nothing": {"origin": ORIGIN, "columns": [FLOAT | {"way": ["grid", {"scale": 0.0, "divides": True}]}]},
    "a scale that is none": b'{"origin":{"suffix":".csv"},"columns":[{"name":"x","dtype":"float64","stored":"float64",'
    b'"way":["grid",{"scale":NaN,"divides":true}]}]}',
    "rounded to text": {
        "origin": ORIGIN,
        "columns": [FLOAT | {"way": ["near", {"scale": 1.0, "rounded": "str", "reach": 1}]}],
    },
    "words that are numbers": {"origin": ORIGIN, "columns": [TEXT | {"way": ["words", {"words": [1]}]}]},
    "a dictionary of numbers": with_column(dictionary={"index": "int8", "ordered": False}),
    "an index of floats": {"origin": ORIGIN, "columns": [TEXT | {"dictionary": {"index": "half", "ordered": True}}]},
    "a bound below 0": with_column(bound=-1.0),
    "digits without end": {"origin": ORIGIN, "columns": [FLOAT | {"style": {"digits": 10**9}}]},
    "an unknown style": with_column(style={"slant": True}),
    "spelled outside the rows": with_column(style={"spelled": [[5], ["x"]]}),
    "spelled without texts": with_column(style={"spelled": [[0, 0], ["x"]]}),
    "one word for true and false": with_column(dtype="bool", stored="bool", style={"words": ["x"]}),
    "notes that are a list": with_column(notes=["a"]),
    "a zone that is a number": with_column(zone=1),
}


@pytest.mark.parametrize("described", NO_TABLES.values(), ids=NO_TABLES)
def test_what_describes_no_table_is_refused(described):
    with pytest.raises(ContainerError, match=r"^f\.vq: the header describes no table \(.*\); update vqaudio$"):
        StoredTable(a_file(described), "f.vq")


@pytest.mark.parametrize("column", [WHOLE, FLOAT, TEXT])
def test_what_describes_a_table_is_not(column):
    assert len(StoredTable(a_file({"origin": ORIGIN, "columns": [column]})).table().columns) == 1


def test_what_is_unknown_is_named():
    with pytest.raises(ContainerError, match=r"columns\.0\.colour: Extra inputs are not permitted"):
        StoredTable(a_file(with_column(colour="red")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * 100_000, "lists 100000 deep, expected 8 at most"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "lists 5000 deep"),
        (b'{"origin":[' + b"[]," * 5_000_000 + b"[]]}", "more than"),
        (b'{"origin":[' + b"[]," * 1_000_000 + b"[]]}", "in more parts than a file of"),
        (b'{"origin":[' + b"1," * 1_500_000 + b"1]}", "in more parts than a file of"),
        (b'"' + b"x" * 100_000_000 + b'"', "more than"),
        (b"{", "the header is damaged: "),
        (b'{"a":"\\', "the header is damaged: "),
        (b"\xff", "the header is damaged: "),
    ],
)
def test_descriptions_that_would_take_all_memory_are_refused(text, said):
    data = a_file(text)
    tracemalloc.start()
    try:
        with pytest.raises(ContainerError, match=said):
            StoredTable(data)
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


def test_brackets_in_texts_count_for_nothing():
    words = ["[" * 50 + f"{number}" + ',"{' for number in range(3000)]
    column = Column("x", "string", np.array(words, object), np.zeros(3000, np.uint8))
    assert StoredTable(compress(Table([column], {"suffix": ".csv"}))).table().columns[0].values.tolist() == words


def test_many_bad_columns_are_refused_at_the_first():
    data = a_file(b'{"origin":{"suffix":".csv"},"columns":[' + b"{}," * 4000 + b"{}]}")
    with pytest.raises(ContainerError, match=r"\(columns\.0\.name: Field required\)"):
        StoredTable(data)


# --------------------------------------------------------------------------------------------------------------- sizes


def test_more_cells_than_a_small_file_can_hold_are_refused():
    chunk = a_chunk(b"\x00\x00", np.zeros(65536, np.int64))
    rows = 65536 * 2000
    data = a_file({"origin": ORIGIN, "columns": [WHOLE]}, rows, 65536, (chunk,) * 2000)
    with pytest.raises(ContainerError, match="131072000 rows in chunks of 65536 are more than it can hold"):
        StoredTable(data)
    columns = [WHOLE | {"name": str(number)} for number in range(2000)]
    with pytest.raises(ContainerError, match=r"131072000 cells in 1 chunks are more than \d+ bytes hold"):
        StoredTable(a_file({"origin": ORIGIN, "columns": columns}, 65536, 65536))
    with pytest.raises(ContainerError, match=r"2000000 cells in 1000 chunks are more than \d+ bytes hold"):
        StoredTable(a_file({"origin": ORIGIN, "columns": columns}, 1000, 1))


def test_tables_of_constants_are_read_in_pieces_and_not_at_once(monkeypatch):
    monkeypatch.setattr(header, "MOST_CELLS", 1000)
    flags = Column("x", "bool", np.zeros(1_000_000, bool), np.zeros(1_000_000, np.uint8))
    data = compress(Table([flags], {"suffix": ".csv"}))
    assert len(data) < 250
    stored = StoredTable(data, "f.vq")
    assert [piece.columns[0].values.any() for piece in stored.pieces()] == [False] * len(stored.layout.places)
    with pytest.raises(ContainerError, match=r"f\.vq: 1000000 cells in \d+ bytes are more than are taken into memory"):
        stored.table()
    assert stored.table(start=999_990).n_rows == 10


# ---------------------------------------------------------------------------------------------------------- predictors


def test_a_predictor_without_lags_takes_no_longer_for_more_rows():
    rows, linear = 65536, Linear(4, 9, (), ((0, (0, 16, 0)),))
    known = np.arange(rows) % 1000
    started = time.perf_counter()
    found = linear.restore(np.ones(rows, np.int64), [known])
    assert time.perf_counter() - started < 1
    assert (found == known - 499 + 9 + 1).all()


def test_weights_that_make_numbers_grow_without_end_are_damage():
    linear = Linear(0, 0, (2**40, 2**40), ())
    started = time.perf_counter()
    with pytest.raises(DamageError, match="do not fit 64 bits"):
        linear.restore(np.ones(65536, np.int64), [])
    assert time.perf_counter() - started < 1
    column = linear.to_bytes() + varint(0)
    stored = StoredTable(a_file(with_column(), 3, 3, (a_chunk(column, np.zeros(3, np.int64)),)))
    assert stored.table().columns[0].values.tolist() == [0, 0, 0]
    assert stored.damage == []


def test_numbers_of_a_predictor_at_their_limits_are_damage():
    for numbers in ((21, 0), (0, 0, 33), (0, 0, 0, 7), (0, 0, 0, 1, 0), (2**63 - 1,)):
        column = bytes([LINEAR]) + b"".join(map(varint, numbers))
        stored = StoredTable(a_file(with_column(), 2, 2, (a_chunk(column, np.zeros(2, np.int64)),)))
        stored.table()
        assert len(stored.damage) == 1
    far = bytes([LINEAR]) + b"".join(map(varint, (0, zigzag(-(2**61)), 1, zigzag(2**61), 0, 0)))
    StoredTable(a_file(with_column(), 2, 2, (a_chunk(far, np.zeros(2, np.int64)),))).table()


# -------------------------------------------------------------------------------------------------------------- batches


def test_damaged_tables_keep_no_others_from_being_decoded(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = compress(Table([Column("x", "int64", np.arange(3), np.zeros(3, np.uint8))], ORIGIN | {"newline": "\n"}))
    files = {"a": good, "b": good[:12], "c": a_file(b"[" * 10**5), "d": a_file({}), "e": good}
    for name, data in files.items():
        Path(f"{name}.vq").write_bytes(data)
    assert decompress([*(f"{name}.vq" for name in files), "--out-dir", "out", "--quiet"]) == 1
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.csv", "e.csv"]
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(".vq: ")[0] for line in errors] == ["error: b", "error: c", "error: d", errors[-1]]
    assert errors[-1] == "error: 3 of 5 files could not be converted"
