"""The recipe runs from data to figures; here on a few recordings and for seconds, so that only the way is tested."""

from __future__ import annotations

import json

import pytest
from recipe_scripts import run_recipe


@pytest.mark.slow
def test_the_digits_recipe_goes_from_recordings_to_a_report(data_folder, tmp_path):
    folder = tmp_path / "fsdd"
    folder.mkdir()
    for take in (0, 5, 6):
        for path in (data_folder / "speech" / "digits").rglob(f"*_{take}.flac"):
            (folder / path.name).symlink_to(path)
    done = run_recipe("digits", folder, "--quick", "--out", tmp_path / "out", "--jobs", 1)
    assert done.returncode == 0, done.stderr[-2000:]
    report = tmp_path / "out" / "report"
    figures = json.loads((report / "figures.json").read_text())
    assert 0 <= figures["speaker real"] <= 1
    kinds = ("real", "decoded", "sampled")
    assert {f"{what} {kind}" for what in ("digit", "string", "speaker", "seconds") for kind in kinds} < set(figures)
    assert figures["seconds real"] > 0.3
    assert 0 < figures["told bits real"] < 9
    assert len(list(report.glob("*.wav"))) == 6
    assert (report / "spectrograms.png").stat().st_size > 10_000
    assert "6 strings of one to six digits sampled" in (report / "report.md").read_text()
    again = run_recipe("digits", folder, "--quick", "--out", tmp_path / "out", "--jobs", 1)
    assert again.returncode == 0
    assert all(line.startswith("== ") and " is done, " in line for line in again.stdout.splitlines())
