"""The recipe of time series: its made-up processes, and a model for a table of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recipe_scripts import RECIPES, script

from vqaudio.training.series_examples import read_source


def test_each_process_makes_series_that_are_not_alike():
    processes = script("timeseries/processes.py")
    for process in processes.PROCESSES:
        one, other = (process(np.random.default_rng(seed), 3000) for seed in (0, 1))
        assert one.shape == (3000,)
        assert np.isfinite(one).all()
        assert one.std() > 0
        assert not np.array_equal(one, other)


def test_made_up_tables_can_be_learned_from(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["processes.py", str(tmp_path / "made-up"), "--count", "5"])
    script("timeseries/processes.py").main()
    source = read_source(tmp_path / "made-up")
    assert [len(columns) for columns in source.train] == [len(columns) for columns in source.valid]
    assert {len(columns) for columns in source.train} == {1, 2}
    assert len({len(columns[0]) for columns in source.train}) == 5


@pytest.mark.slow
def test_the_recipe_fits_a_model_to_a_table(tmp_path):
    beats = script("timeseries/processes.py").heartbeats(np.random.default_rng(0), 20_000)
    np.savetxt(tmp_path / "beats.csv", np.round(beats, 3), header="mv", comments="", fmt="%.3f")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"OUT": str(tmp_path / "out"), "MINUTES": "0.3", "PATH": path}
    run = ["bash", str(RECIPES / "timeseries" / "run.sh"), str(tmp_path / "beats.csv")]
    subprocess.run(run, env=environment, check=True, capture_output=True)
    report = (tmp_path / "out" / "report.md").read_text()
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]] for line in report.splitlines() if line.startswith("| vqaudio")
    ]
    (_, fitted), (name, plain) = ((name, int(n_bytes.replace(",", ""))) for name, n_bytes in rows[:2])
    assert name == "vqaudio, quick coder"
    assert fitted < 0.95 * plain
