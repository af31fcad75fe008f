"""The command line that adds rows to a table's file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from vqaudio.append import main as append
from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x,y\n1,0.5\n2,0.25\n")
    assert compress(["a.csv", "a.vq", "--quiet"]) == 0


def test_what_is_said(capsys):
    assert append(["a.vq", "a.csv", "--out", "b.vq"]) == 0
    size = Path("b.vq").stat().st_size
    said = capsys.readouterr().err
    assert said.startswith("a.csv -> b.vq: 2 rows of 2 columns, ")
    assert said.endswith(f", {size} bytes in all\n")
    assert append(["a.vq", "a.csv", "--out", "b.vq"]) == 1
    assert "b.vq: exists already" in capsys.readouterr().err
    assert append(["a.vq", "a.csv", "--out", "b.vq", "--force", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_rows_from_a_pipe(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x;y\n3;1.5\n")))
    assert append(["a.vq", "-", "--delimiter", ";", "--quiet"]) == 0
    assert decompress(["a.vq", "b.csv", "--quiet"]) == 0
    assert Path("b.csv").read_text() == "x,y\n1,0.5\n2,0.25\n3,1.5\n"


def test_files_that_are_not_there(capsys):
    assert append(["none.vq", "a.csv"]) == 1
    assert append(["a.vq", "none.csv"]) == 1
    assert capsys.readouterr().err == "".join(
        f"error: {name}: no such file; check the name\n" for name in ("none.vq", "none.csv")
    )
