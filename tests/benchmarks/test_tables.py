"""The benchmark of tables, on a small one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.tables import geometric_mean, main
from vqaudio.evaluation.choices import TABLE_PEER_NAMES


def test_small_tables_are_compared(tmp_path, capsys):
    rows = np.cumsum(np.random.default_rng(1).normal(size=(200, 2)), 0)
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{x:.2f},{y:.2f}\n" for x, y in rows))
    (tmp_path / "note.txt").write_text("no table")
    out = tmp_path / "out.json"
    options = ["--bounds", "exact,1%", "--peers", "zstd,gzip", "--made-rows", "300", "--json", str(out)]
    assert main([str(tmp_path), *options]) == 0
    printed = capsys.readouterr().out
    assert "a.csv" in printed
    assert "values/s packed" in printed
    pairs = json.loads(out.read_text())["pairs"]
    assert [(pair["table"], pair["bound"]) for pair in pairs] == [
        (name, bound) for name in ("a.csv", "made, 300 rows") for bound in ("exact", "1%")
    ]
    assert [one["name"] for one in pairs[0]["codecs"]] == ["vqaudio", "zstd", "gzip"]
    assert all(one["keeps_bounds"] for pair in pairs for one in pair["codecs"])
    assert {"zstd", "gzip"} <= set(TABLE_PEER_NAMES)
    assert main([str(tmp_path), "--tables", "none.csv"]) == 1


def test_geometric_means():
    assert geometric_mean([0.5, 2.0, 1.0]) == pytest.approx(1)
