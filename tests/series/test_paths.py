"""Tables from file to file by the command lines, and what these refuse."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from series_models import dice, good_at_dice

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.info import main as info
from vqaudio.series import StoredTable, writer
from vqaudio.series.coding import model

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--delimiter", "ab"], "expected one character"),
        (["--delimiter", '"'], "expected one character"),
        (["--delimiter", ",", "--decimal", ","], "expected different characters"),
        (["--decimal", ";"], "'--decimal'"),
    ],
)
def test_delimiters_that_are_none_are_refused(options, said, capsys):
    Path("in.csv").write_text("a,b\n1,2\n")
    assert compress(["in.csv", "out.vq", *options]) == 2
    assert said in capsys.readouterr().err


def test_other_tables_have_no_delimiter(capsys):
    np.save("in.npy", np.arange(3))
    assert compress(["in.npy", "out.vq", "--delimiter", ";"]) == 1
    assert "in.npy: --delimiter and --decimal are for .csv" in capsys.readouterr().err


def test_columns_that_a_bound_does_not_reach_are_named(capsys):
    text = "when,word,x\n" + "".join(f"2020-01-01 00:00:{n:02},w,{n * n / 7}\n" for n in range(9))
    Path("in.csv").write_text(text)
    assert compress(["in.csv", "out.vq", "--max-error", "0.5"]) == 0
    assert capsys.readouterr().err.startswith(
        "warning: in.csv: --max-error does not reach 2 of 3 columns, which stay exact: 'when' (timestamp[s]), 'word' "
        "(string)\n"
    )
    assert compress(["in.csv", "out.vq", "--max-error", "0.5", "--force", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_what_is_said_of_a_table(capsys):
    Path("in.csv").write_text("date,U [V]\n" + "".join(f"2020-01-01 00:00:{i:02},{i * i / 7}\n" for i in range(60)))
    assert compress(["in.csv", "out.vq", "--max-error", "0.25"]) == 0
    size = Path("out.vq").stat().st_size
    assert f"in.csv -> out.vq: 60 rows of 2 columns, {size} bytes, {size * 8 / 120:.2f} bits a value, " in (
        capsys.readouterr().err
    )
    assert info(["out.vq", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    columns = told.pop("columns")
    assert [(one["name"], one["type"], one["bound"]) for one in columns] == [
        ("date", "timestamp[s]", "exact"),
        ("U [V]", "float64", "within 0.25"),
    ]
    assert 0 < sum(one["bytes"] for one in columns) < size
    assert all(one["share"] == pytest.approx(one["bytes"] / size, abs=1e-4) for one in columns)
    assert all(one["bits_per_value"] == pytest.approx(one["bytes"] * 8 / 60, abs=1e-3) for one in columns)
    assert told == {
        "file": "out.vq",
        "format_version": 4,
        "rows": 60,
        "source_format": "csv",
        "chunks": 1,
        "chunk_rows": 60,
        "bytes": size,
        "bits_per_value": pytest.approx(size * 8 / 120, abs=1e-3),
        "model": "none",
        "damage": [],
        "unchecked": "",
    }
    assert info(["out.vq"]) == 0
    text = capsys.readouterr().out
    assert "columns         2\n" in text
    assert re.search(r"^date +timestamp\[s\]  exact +\d+ +[\d.]+%  +[\d.]+  whole +difference", text, re.MULTILINE)
    assert re.search(r"^U \[V\] +float64 +within 0\.25 +\d+ +[\d.]+%", text, re.MULTILINE)


def test_damage_is_told_and_what_is_left_is_written(capsys, monkeypatch):
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 10)
    Path("in.csv").write_text("t,x\n" + "".join(f"{i},{i * i % 17}\n" for i in range(30)))
    assert compress(["in.csv", "out.vq", "--quiet"]) == 0
    data = bytearray(Path("out.vq").read_bytes())
    lost = StoredTable(bytes(data)).layout.places[1]
    data[lost.offset + lost.size - 3] ^= 4
    Path("out.vq").write_bytes(data)
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 1
    told = "chunk 1 (rows 11 to 20 are lost): its checksum does not match its bytes"
    assert capsys.readouterr().err == f"damaged: out.vq: {told}\n"
    lines, found = (Path(name).read_text().splitlines() for name in ("in.csv", "back.csv"))
    assert found == [*lines[:11], *[","] * 10, *lines[21:]]
    assert info(["out.vq"]) == 1
    assert told in capsys.readouterr().out
    assert decompress(["out.vq", "back.npy", "--quiet"]) == 1
    assert "10 gaps, which arrays of int64 cannot hold" in capsys.readouterr().err


def test_gaps_of_lost_rows_are_allowed_in_parquet_where_the_type_has_none(capsys, monkeypatch):
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 10)
    field = pa.field("x", pa.int64(), nullable=False)
    pq.write_table(pa.Table.from_arrays([pa.array(range(30))], schema=pa.schema([field])), "in.parquet")
    assert compress(["in.parquet", "out.vq", "--quiet"]) == 0
    assert decompress(["out.vq", "whole.parquet", "--quiet"]) == 0
    assert not pq.read_schema("whole.parquet").field("x").nullable
    data = bytearray(Path("out.vq").read_bytes())
    place = StoredTable(bytes(data)).layout.places[2]
    data[place.offset + place.size - 3] ^= 4
    Path("out.vq").write_bytes(data)
    assert decompress(["out.vq", "back.parquet", "--quiet"]) == 1
    assert "rows 21 to 30 are lost" in capsys.readouterr().err
    assert pq.read_table("back.parquet")["x"].to_pylist() == [*range(20), *[None] * 10]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            ["in.wav", "out.vq", "--max-error", "1"],
            2,
            "in.wav: --max-error, --lossless, --delimiter and --decimal are for tables",
        ),
        (["in.csv", "out.vq", "--max-error", "1", "--lossless"], 2, "--max-error and --lossless: expected one of them"),
        (["in.csv", "out.vq", "--max-error", "wide"], 1, "--max-error wide: expected a number above 0"),
        (["in.csv", "out.vq", "--kbps", "2"], 1, "--kbps is for sound"),
        (["in.csv", "out.vq", "--codebooks", "2"], 1, "--codebooks is for sound"),
        (["in.csv", "out.vq", "--model", "x"], 1, "x: no such model of time series"),
        (["in.csv", "out.vq", "--chunk", "2"], 1, "--chunk is for sound"),
        (["missing.csv", "out.vq"], 1, "missing.csv: no such file"),
    ],
)
def test_options_that_do_not_go_together(arguments, status, said, capsys):
    Path("in.csv").write_text("a\n1\n")
    assert compress(arguments) == status
    assert said in capsys.readouterr().err
    assert not Path("out.vq").exists()


def test_options_for_sound_are_refused_for_a_table(capsys):
    Path("in.csv").write_text("a\n1\n")
    assert compress(["in.csv", "out.vq", "--quiet"]) == 0
    assert decompress(["out.vq", "back.csv", "--subtype", "FLOAT"]) == 1
    assert capsys.readouterr().err == "error: --subtype is for sound, and out.vq holds a table\n"


def test_a_folder_of_tables_there_and_back():
    for name in ("a.csv", "deep/b.csv"):
        Path("in", name).parent.mkdir(parents=True, exist_ok=True)
        Path("in", name).write_text("x\n1\n2\n")
    np.save("in/c.npy", np.arange(5))
    Path("in/other.wav").write_text("not looked at")
    assert compress(["in", "--out-dir", "coded", "--lossless", "--quiet"]) == 0
    assert decompress(["coded", "--out-dir", "out", "--quiet"]) == 0
    assert {str(path) for path in Path("out").rglob("*.*")} == {"out/a.csv", "out/deep/b.csv", "out/c.npy"}
    assert Path("out/deep/b.csv").read_text() == "x\n1\n2\n"


def test_into_a_pipe(capfdbinary):
    Path("in.csv").write_text("x\n1\n2\n")
    assert compress(["in.csv", "out.vq", "--quiet"]) == 0
    assert decompress(["out.vq", "-", "--quiet"]) == 0
    assert capfdbinary.readouterr().out == b"x\n1\n2\n"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy", ".npz"])
@pytest.mark.parametrize("told", [True, False])
def test_out_of_a_pipe_and_into_one(suffix, told, monkeypatch, capfdbinary):
    Path("any.csv").write_text("x,y\n" + "".join(f"{n},{n * n % 17}\n" for n in range(100)))
    assert compress(["any.csv", "any.vq", "--quiet"]) == 0
    assert decompress(["any.vq", f"in{suffix}", "--quiet"]) == 0
    data = Path(f"in{suffix}").read_bytes()
    assert compress([f"in{suffix}", "file.vq", "--quiet", "--lossless"]) == 0
    capfdbinary.readouterr()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert compress(["-", "-", "--quiet", *(["--format", suffix[1:]] if told else ["--lossless"])]) == 0
    coded = capfdbinary.readouterr().out
    assert coded == Path("file.vq").read_bytes()
    assert decompress(["file.vq", "-", "--quiet"]) == 0
    assert capfdbinary.readouterr().out == data


def test_from_program_to_program():
    Path("in.csv").write_text("x\n" + "".join(f"{n % 7}\n" for n in range(1000)))
    python = f'"{sys.executable}" -m vqaudio'
    line = f"cat in.csv | {python}.compress - - --format csv --quiet | {python}.decompress - - --quiet > out.csv"
    subprocess.run(line, shell=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert Path("out.csv").read_bytes() == Path("in.csv").read_bytes()


def test_a_file_of_another_name_is_a_table_where_its_format_is_named(capsys):
    Path("in.txt").write_text("x\n1\n2\n")
    assert compress(["in.txt", "out.vq", "--format", "csv", "--quiet"]) == 0
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 0
    assert Path("back.csv").read_text() == "x\n1\n2\n"
    assert compress(["in.txt", "none.vq", "--format", "parquet", "--quiet"]) == 1
    assert "in.txt: cannot be read as Parquet" in capsys.readouterr().err


def test_a_column_that_no_style_fits_is_text_from_the_first_row_on(monkeypatch):
    """What is known only later: in chunks of 10, the third one."""
    monkeypatch.setattr(writer, "chunk_rows_for", lambda n_columns: 10)
    odd = [f"{'0' * (n % 3)}{n}.{n % 7}{'0' * (n % 5)}" if n > 20 else f"{n}.5" for n in range(30)]
    Path("in.csv").write_text("x,y\n" + "".join(f"{one},{n}\n" for n, one in enumerate(odd)))
    assert compress(["in.csv", "out.vq", "--quiet"]) == 0
    assert decompress(["out.vq", "back.csv", "--quiet"]) == 0
    assert Path("back.csv").read_bytes() == Path("in.csv").read_bytes()
    assert [column.dtype for column in StoredTable(Path("out.vq").read_bytes()).columns] == ["string", "int64"]


def test_commands_take_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(model, "DEFAULT", tmp_path / "shipped" / "series-base.safetensors")
    name = good_at_dice(Path("dice.safetensors")).name
    np.save("in.npy", np.column_stack(list(map(dice, range(6)))))
    assert compress(["in.npy", "out.vq", "--model", name, "--quiet"]) == 0
    assert decompress(["out.vq", "back.npy", "--quiet"]) == 1
    assert "was written by the series model" in capsys.readouterr().err
    assert info(["out.vq"]) == 1  # which tells what can be told
    said = capsys.readouterr()
    assert "source format" in said.out
    assert said.err.startswith("error: out.vq: was written by the series model")
    assert decompress(["out.vq", "back.npy", "--model", name, "--quiet"]) == 0
    assert (np.load("back.npy") == np.load("in.npy")).all()
    (tmp_path / "shipped").mkdir()
    good_at_dice(tmp_path / "shipped" / "series-base.safetensors")
    assert compress(["in.npy", "named.vq", "--model", "series-base", "--quiet"]) == 0
    assert Path("named.vq").read_bytes() == Path("out.vq").read_bytes()
    assert decompress(["named.vq", "again.npy", "--quiet"]) == 0
    assert (np.load("again.npy") == np.load("in.npy")).all()
    assert info(["named.vq"]) == 0
    assert StoredTable(Path("out.vq").read_bytes()).model in capsys.readouterr().out
    assert compress(["in.npy", "none.vq", "--model", "none", "--quiet"]) == 0
    assert len(Path("none.vq").read_bytes()) > len(Path("out.vq").read_bytes()) + 40
