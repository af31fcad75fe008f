"""The index of tokens: memory-mapped, built once for the shards that are there, and shared."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from tiny_priors import row

from vqaudio import tokens
from vqaudio.container import Stream
from vqaudio.errors import FileError, ModelError
from vqaudio.tokens import Origin, index, open_tokens

TWO_LEVELS = Origin("0123456789ab", (Stream(16, 2), Stream(60000, 1)), 50.0)
FLAT = Origin("0123456789ab", (Stream(16), Stream(16), Stream(32768)), 50.0)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tokens").mkdir()


@pytest.mark.parametrize(("origin", "dtype"), [(TWO_LEVELS, np.int32), (FLAT, np.int16)], ids=["int32", "int16"])
def test_rows_are_those_that_were_written(origin, dtype):
    rows = [
        row([[3, 15], [7, 1, 0]], corpus="words", speaker="ann", label="one", text="é one", starts=(0.1, 0.25)),
        row([[4]], split="valid", speaker="bob", corpus="words", text="two"),
        row([], corpus="words"),
        row([[1], [2]], version=3, speaker="ann", corpus="digits", text="three", starts=(0.5,)),
    ]
    tokens.write(Path("tokens/a.parquet"), origin, rows[:3])
    tokens.write(Path("tokens/b.parquet"), origin, rows[3:])
    found = open_tokens(Path("tokens"))
    assert found.origin == origin
    assert len(found) == 4
    for at, one in enumerate(rows):
        codes = found.codes(at)
        assert [part.tolist() for part in codes] == [part.tolist() for part in one.codes]
        assert {part.dtype for part in codes} <= {np.dtype(dtype)}
        assert all(found.text(at, field) == getattr(one, field) for field in index.FIELDS)
        assert found.said(at) == one.text
        assert tuple(found.said_at(at)) == one.starts
    assert found.versions.tolist() == [0, 0, 0, 3]
    assert isinstance(found.values, np.memmap)
    assert not found.values.flags.writeable


def test_the_index_is_made_once_for_the_same_shards(monkeypatch):
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1, 2]])])
    first = open_tokens(Path("tokens"))
    with monkeypatch.context() as patch:
        patch.setattr(index, "_build", lambda *_: pytest.fail("built again"))
        assert open_tokens(Path("tokens")).codes(0)[0].tolist() == [1, 2]
    tokens.write(Path("tokens/b.parquet"), FLAT, [row([[3]])])
    assert open_tokens(Path("tokens")).codes(1)[0].tolist() == [3]
    assert first.codes(0)[0].tolist() == [1, 2]  # whoever has the old one keeps it
    assert len([path for path in Path("tokens/_cache").iterdir() if path.is_dir()]) == 1


def test_it_may_be_kept_elsewhere_for_several_folders():
    Path("more").mkdir()
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1]])])
    tokens.write(Path("more/a.parquet"), FLAT, [row([[2]])])
    for folder, code in (("tokens", 1), ("more", 2), ("tokens/a.parquet", 1)):
        assert open_tokens(Path(folder), cache=Path("cache")).codes(0)[0].tolist() == [code]
    assert len([path for path in Path("cache").iterdir() if path.is_dir()]) == 3
    assert [path.name for path in Path("tokens").iterdir()] == ["a.parquet"]


def _open_at_once(start, answers) -> None:
    real = index._build
    index._build = lambda *given: (answers.put("built"), real(*given))
    start.wait()
    answers.put(open_tokens(Path("tokens")).codes(0)[0].tolist())


def test_one_process_builds_it_and_others_wait():
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1, 2, 3]])])
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Event(), fork.Queue()
    processes = [fork.Process(target=_open_at_once, args=(start, answers)) for _ in range(4)]
    for process in processes:
        process.start()
    start.set()
    said = [answers.get(timeout=20) for _ in range(5)]
    for process in processes:
        process.join()
    assert said.count("built") == 1
    assert said.count([1, 2, 3]) == 4


def test_what_a_killed_process_left_is_cleared_away():
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1]])])
    open_tokens(Path("tokens"))
    (whole,) = (path for path in Path("tokens/_cache").iterdir() if path.is_dir())
    whole.rename(f"{whole}-0.part")
    assert open_tokens(Path("tokens")).codes(0)[0].tolist() == [1]
    assert [path for path in Path("tokens/_cache").iterdir() if path.is_dir()] == [whole]


def test_what_cannot_be_learned_from_is_named():
    with pytest.raises(FileError, match=r"tokens: holds no tokens; write them with python -m vqaudio\.tokenize"):
        open_tokens(Path("tokens"))
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1], [16]])])
    with pytest.raises(FileError, match=r"a\.parquet: holds codes that do not fit their codebooks"):
        open_tokens(Path("tokens"))
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1]] * 4)])
    with pytest.raises(FileError, match=r"a\.parquet: has rows without codes, or with more than 3 streams"):
        open_tokens(Path("tokens"))
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1]])])
    tokens.write(Path("tokens/b.parquet"), TWO_LEVELS, [row([[1]])])
    with pytest.raises(ModelError, match="holds tokens of several codecs"):
        open_tokens(Path("tokens"))
    assert not [path for path in Path("tokens/_cache").iterdir() if path.is_dir()]


def test_a_place_without_room_is_a_sentence():
    tokens.write(Path("tokens/a.parquet"), FLAT, [row([[1]])])
    Path("file").touch()
    with pytest.raises(FileError, match=r"file: the index of the tokens cannot be written there .*; set data\.cache"):
        open_tokens(Path("tokens"), cache=Path("file"))
    if os.geteuid():
        Path("shut").mkdir(mode=0o500)
        with pytest.raises(FileError, match=r"Permission denied\); set data\.cache"):
            open_tokens(Path("tokens"), cache=Path("shut"))
