"""Rates, means and the use of codes over all clips."""

import numpy as np
import pytest
from judged import small_evaluation

from vqaudio.evaluation.report import table
from vqaudio.evaluation.scoring import ClipScore, CodeUsage, SystemScore


def test_the_rate_is_all_bytes_over_all_seconds():
    clips = [ClipScore("a", 1.0, 1000, {}), ClipScore("b", 3.0, 1000, {})]
    assert SystemScore("x", "x", clips).kbps == pytest.approx(4.0)
    assert clips[0].kbps == pytest.approx(8.0)


def test_code_usage_counts_over_calls():
    usage = CodeUsage(8)
    assert (usage.frames, usage.used, usage.perplexity) == (0, 0.0, 0.0)
    usage.add(np.array([[0, 1], [0, 1]]))
    usage.add(np.array([[2, 3, 3, 2]]))
    assert (usage.frames, usage.used, usage.perplexity) == (8, 0.5, pytest.approx(4.0))
    usage.add(np.full(8, 7))  # entropy of (1/8, 1/8, 1/8, 1/8, 1/2) is 2 bits
    assert usage.perplexity == pytest.approx(4.0)


def test_undefined_values_are_counted_and_left_out_of_means(folder):
    result = small_evaluation(folder)
    (scored,) = result.systems
    assert [clip.clip for clip in scored.clips] == ["a.wav", "b/c.flac", "quiet.wav"]
    assert scored.kbps == pytest.approx(8.0)
    assert scored.mean("stoi").count == 2
    assert scored.mean("stoi").mean == pytest.approx(1.0, abs=1e-6)
    text = table(result)
    assert "| perfect | 8.00 |" in text
    assert "perfect: STOI undefined on 1 of 3 clips" in text
    assert "log-mel undefined" not in text
