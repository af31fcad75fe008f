"""The recipe runs from recordings to figures; here on a few and for seconds, so that only the way is tested."""

from __future__ import annotations

import json

import pytest
from recipe_scripts import run_recipe

from vqaudio.corpora import open_corpus


@pytest.mark.slow
def test_the_sentences_recipe_goes_from_recordings_to_a_report(data_folder, tmp_path):
    pytest.importorskip("pocketsphinx")
    out = tmp_path / "out"
    done = run_recipe("sentences", data_folder / "speech", "--quick", "--out", out, "--jobs", 1)
    assert done.returncode == 0, done.stderr[-2000:]
    listed = [utterance for part in open_corpus(str(out / "data")).parts(64) for utterance, _ in part.read(16000)]
    assert {utterance.split for utterance in listed} == {"train", "valid", "test"}
    timed = [utterance for utterance in listed if utterance.starts]
    assert len(timed) > 18
    assert all(len(utterance.starts) == len(utterance.text) for utterance in timed)
    figures = json.loads((out / "report" / "figures.json").read_text())
    assert figures["sentences"] == 4
    assert 0 < figures["told"] < 11
    assert 0 < figures["untold"] < 11
    assert set(figures["heard"]) == {"in recordings", "in their codes", "in what is said"}
    assert len(list((out / "report").glob("*.wav"))) == 4
    assert "sentences of" in (out / "report" / "report.md").read_text()
