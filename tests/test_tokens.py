"""Tokens on disk: Arrow files written and read."""

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
        row("deep/b.wav", [1], speaker="Zoë", label="sieben", split="valid"),
        row("c.wav", [2], [5], version=3),
    ]
    tokens.write(Path("x-00.arrow"), TWO_LEVELS, rows[:2])
    tokens.write(Path("x-01.arrow"), TWO_LEVELS, rows[2:])
    Path("notes.txt").write_text("not tokens")
    origin, found = tokens.read(Path())
    assert origin == tokens.made_by(Path("x-01.arrow"))[0] == TWO_LEVELS
    assert all(same(one, other) for one, other in zip(found, rows, strict=True))
    assert {part.dtype for one in found for part in one.codes} == {np.dtype(np.int32)}


def test_a_folder_holds_the_tokens_of_one_codec():
    tokens.write(Path("a.arrow"), TWO_LEVELS, [row("a.wav", [1], [2])])
    other = Origin("ba9876543210", TWO_LEVELS.streams, TWO_LEVELS.frame_rate)
    tokens.write(Path("b.arrow"), other, [row("b.wav", [1], [2])])
    with pytest.raises(ModelError, match=r"several codecs \(0123456789ab, ba9876543210\); keep each in a folder"):
        tokens.read(Path())


def test_a_folder_without_tokens_says_how_to_write_them():
    with pytest.raises(FileError, match=r"tokens: holds no tokens; write them with python -m vqaudio\.tokenize"):
        tokens.read(Path("tokens"))


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"no tokens", lambda data: b""])
def test_a_damaged_shard_is_named(damage):
    path = Path("a.arrow")
    tokens.write(path, TWO_LEVELS, [row("a.wav", [1] * 500, [2] * 1000)])
    path.write_bytes(damage(path.read_bytes()))
    for look in (tokens.made_by, lambda path: tokens.read(path.parent)):
        with pytest.raises(FileError, match=r"a\.arrow: is no file of tokens .*; remove it and write it again"):
            look(path)


def test_arrow_files_of_others_are_no_tokens():
    import pyarrow

    table = pyarrow.table({"path": ["a.wav"]})
    with pyarrow.OSFile("a.arrow", "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(FileError, match="is no file of tokens"):
        tokens.read(Path())
