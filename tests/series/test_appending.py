"""Rows added to a file: what fits, what comes back, and that nothing is lost where it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from series_tables import GOLDEN

from vqaudio.append import main as append
from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.series import StoredTable, appending


def rows(start: int, stop: int) -> str:
    times = ((n, f"2020-01-{1 + n // 24:02} {n % 24:02}:00:00") for n in range(start, stop))
    return "".join(f"{time},{n * n % 97 / 4},w{n % 3}\n" for n, time in times)


def test_rows_are_added_and_old_chunks_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("when,x,word\n" + rows(0, 100))
    Path("b.csv").write_text("when,x,word\n\n" + rows(100, 150).rstrip("\n"))
    assert compress(["a.csv", "a.vq", "--quiet"]) == 0
    before = Path("a.vq").read_bytes()
    assert append(["a.vq", "b.csv", "--out", "both.vq", "--quiet"]) == 0
    assert Path("a.vq").read_bytes() == before
    data = Path("both.vq").read_bytes()
    ends_at = StoredTable(before).layout.ends_at
    assert data[:ends_at] == before[:ends_at]
    assert decompress(["both.vq", "both.csv", "--quiet"]) == 0
    assert Path("both.csv").read_text() == "when,x,word\n" + rows(0, 100) + "\n" + rows(100, 150).rstrip("\n")
    stored = StoredTable(data)
    assert [place.times is not None for place in stored.layout.places] == [True, True]
    found = stored.table(start="2020-01-05T03:00", end="2020-01-05T06:00")
    assert found.columns[1].values.tolist() == [n * n % 97 / 4 for n in range(99, 102)]
    assert append(["both.vq", "a.csv", "--quiet"]) == 0
    assert decompress(["both.vq", "-", "--quiet"]) == 0
    assert StoredTable(Path("both.vq").read_bytes()).n_rows == 250


def test_bounds_of_the_file_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("a", 1), ("b", 2)):
        np.save(f"{name}.npy", np.random.default_rng(seed).normal(0, 1, (500, 2)).cumsum(0))
    assert compress(["a.npy", "a.vq", "--max-error", "0.25", "--quiet"]) == 0
    assert append(["a.vq", "b.npy", "--quiet"]) == 0
    assert decompress(["a.vq", "back.npy", "--quiet"]) == 0
    errors = np.abs(np.load("back.npy") - np.concatenate([np.load("a.npy"), np.load("b.npy")]))
    assert 0.1 < errors[500:].max() <= 0.25


def test_wider_types_take_narrower_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x,word,n\n0.5,a,1\n1.25,b,2\n")
    Path("b.csv").write_text("x,word,n\n2,7,\n-3,8,\n")
    assert compress(["a.csv", "a.vq", "--quiet"]) == 0
    assert append(["a.vq", "b.csv", "--quiet"]) == 0
    assert decompress(["a.vq", "-", "--quiet"]) == 0
    with open("a.vq", "rb") as coded:
        table = StoredTable(coded).table()
    assert [column.values.tolist() for column in table.columns] == [
        [0.5, 1.25, 2.0, -3.0],
        ["a", "b", "7", "8"],
        [1, 2, 0, 0],
    ]
    assert decompress(["a.vq", "a2.csv", "--quiet"]) == 0
    assert Path("a2.csv").read_text() == "x,word,n\n0.5,a,1\n1.25,b,2\n2,7,\n-3,8,\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,other\n1,2\n", "b.csv: has the columns x, other; expected those of a.vq: x, y\n"),
        ("x,y\n1.5,2\n", "b.csv: column 'x' holds float64, and in a.vq it is int64; convert it\n"),
        ("x,y\nword,2\n", "b.csv: column 'x' holds string, and in a.vq it is int64; convert it\n"),
        ("x,y\n", "b.csv: holds no rows; expected one or more\n"),
    ],
)
def test_columns_that_do_not_fit_are_one_sentence(text, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x,y\n1,0.5\n2,0.25\n")
    Path("b.csv").write_text(text)
    assert compress(["a.csv", "a.vq", "--quiet"]) == 0
    before = Path("a.vq").read_bytes()
    assert append(["a.vq", "b.csv"]) == 1
    assert capsys.readouterr().err == f"error: {said}"
    assert Path("a.vq").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"a.csv", "b.csv", "a.vq"}


def test_old_and_damaged_files_take_no_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x\n1\n2\n")
    Path("old.vq").write_bytes((GOLDEN / "table.vq").read_bytes())
    assert append(["old.vq", "a.csv"]) == 1
    assert "error: old.vq: was written by an earlier version, and takes no more rows" in capsys.readouterr().err
    assert compress(["a.csv", "a.vq", "--quiet"]) == 0
    Path("a.vq").write_bytes(Path("a.vq").read_bytes()[:-1])
    assert append(["a.vq", "a.csv"]) == 1
    assert "error: a.vq: is damaged: its end is damaged" in capsys.readouterr().err


def test_a_file_is_whole_until_all_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x\n1\n2\n")
    assert compress(["a.csv", "a.vq", "--quiet"]) == 0
    before = Path("a.vq").read_bytes()

    class Killed(BaseException):
        pass

    def die(writer):
        raise Killed

    monkeypatch.setattr(appending.ChunkWriter, "finish", die)
    with pytest.raises(Killed):
        appending.append_file(Path("a.vq"), Path("a.csv"), Path("a.vq"), progress=lambda rows: None)
    assert Path("a.vq").read_bytes() == before
    assert {path.name for path in Path().iterdir()} == {"a.csv", "a.vq"}
