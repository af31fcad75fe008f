"""Tokens on disk: Parquet files written and read, by us and by others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vqaudio import tokens
from vqaudio.container import Stream
from vqaudio.errors import FileError, ModelError
from vqaudio.tokens import Origin, Row

TWO_LEVELS = Origin("0123456789ab", (Stream(16, 2), Stream(60000, 1)), 50.0)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def row(path: str, *codes: list[int], **known: object) -> Row:
    values = {"corpus": "words", "speaker": "ann", "label": "", "split": "train", "version": 0} | known
    return Row(path, codes=[np.array(part, np.int32) for part in codes], **values)  # type: ignore[arg-type]


def same(one: Row, other: Row) -> bool:
    codes = [[part.tolist() for part in each.codes] for each in (one, other)]
    known = [{name: value for name, value in vars(each).items() if name != "codes"} for each in (one, other)]
    return codes[0] == codes[1] and known[0] == known[1]


# -------------------------------------------------------------------------------------------------------------- files


def test_what_is_written_is_read():
    """Streams of different strides, a row with fewer codebooks, texts beyond ASCII, and shards in order."""
    rows = [
        row("a.wav", [3, 15], [7, 59999, 0]),
        row(
            "deep/b.wav",
            [1],
            speaker="Zoë",
            label="sieben",
            split="valid",
            id="b",
            text="sieben, bitte",
            starts=(0.1, 0.3),
            seconds=0.5,
        ),
        row("c.wav", [2], [5], version=3),
    ]
    tokens.write(Path("x-00.parquet"), TWO_LEVELS, rows[:2])
    tokens.write(Path("x-01.parquet"), TWO_LEVELS, rows[2:])
    Path("notes.txt").write_text("not tokens")
    origin, found = tokens.read(Path())
    assert origin == tokens.header_of(Path("x-01.parquet")).origin == TWO_LEVELS
    assert all(same(one, other) for one, other in zip(found, rows, strict=True))
    assert {part.dtype for one in found for part in one.codes} == {np.dtype(np.int32)}


def test_a_folder_holds_the_tokens_of_one_codec():
    tokens.write(Path("a.parquet"), TWO_LEVELS, [row("a.wav", [1], [2])])
    other = Origin("ba9876543210", TWO_LEVELS.streams, TWO_LEVELS.frame_rate)
    tokens.write(Path("b.parquet"), other, [row("b.wav", [1], [2])])
    with pytest.raises(ModelError, match=r"several codecs \(0123456789ab, ba9876543210\); keep each in a folder"):
        tokens.read(Path())


def test_a_folder_without_tokens_says_how_to_write_them():
    with pytest.raises(FileError, match=r"tokens: holds no tokens; write them with python -m vqaudio\.tokenize"):
        tokens.read(Path("tokens"))


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"no tokens", lambda data: b""])
def test_a_damaged_shard_is_named(damage):
    path = Path("a.parquet")
    tokens.write(path, TWO_LEVELS, [row("a.wav", [1] * 500, [2] * 1000)])
    path.write_bytes(damage(path.read_bytes()))
    for look in (tokens.header_of, lambda path: tokens.read(path.parent)):
        with pytest.raises(FileError, match=r"a\.parquet: is no file of tokens .*; remove it and write it again"):
            look(path)


def test_parquet_files_of_others_are_no_tokens():
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"path": ["a.wav"]}), "a.parquet")
    with pytest.raises(FileError, match="is no file of tokens"):
        tokens.read(Path())


# ------------------------------------------------------------------------------------------------------------- others


@pytest.fixture
def shard() -> Path:
    """A shard of int16 codes whose rows have three streams and one."""
    rows = [row("a.wav", [3, 15], [7, 1, 0, 2], [1, 1, 1, 9], id="a", text="hi", seconds=0.04), row("b.wav", [4])]
    tokens.write(Path("a.parquet"), Origin("0123456789ab", (Stream(16, 2), Stream(1024), Stream(32768)), 50.0), rows)
    return Path("a.parquet")


def test_pyarrow_reads_the_columns_of_the_schema(shard):
    from pyarrow import parquet

    table = parquet.read_table(shard)
    texts = {"id", "path", "corpus", "speaker", "label", "text", "split", "model"}
    others = {"version": "int32", "seconds": "double", "starts": "list<element: double>"}
    others["codes"] = "list<element: list<element: int16>>"
    assert {field.name: str(field.type) for field in table.schema} == dict.fromkeys(texts, "string") | others
    assert table["codes"].to_pylist() == [[[3, 15], [7, 1, 0, 2], [1, 1, 1, 9]], [[4]]]
    assert table["seconds"].to_pylist() == [0.04, None]
    assert set(table["model"].to_pylist()) == {"0123456789ab"}
    column = parquet.ParquetFile(shard).metadata.row_group(0).column(table.schema.names.index("model"))
    assert "RLE_DICTIONARY" in column.encodings


def test_polars_reads_it(shard):
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(shard)
    assert frame["codes"].dtype == polars.List(polars.List(polars.Int16))
    assert frame["codes"].to_list()[0][1] == [7, 1, 0, 2]
    assert frame["text"].to_list() == ["hi", ""]


@pytest.mark.slow  # importing it takes seconds
def test_datasets_reads_it(shard, tmp_path):
    datasets = pytest.importorskip("datasets")
    found = datasets.Dataset.from_parquet(str(shard), cache_dir=str(tmp_path / "cache"))
    assert found.features["codes"].feature.feature.dtype == "int16"
    assert found[0]["codes"] == [[3, 15], [7, 1, 0, 2], [1, 1, 1, 9]]
    assert found[0]["model"] == "0123456789ab"
