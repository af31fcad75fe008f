"""An evaluation as a table, as JSON and as a plot."""

import json
import math

import pytest
from judged import small_evaluation
from matplotlib.image import imread

from vqaudio.evaluation.metrics import METRICS, Metric
from vqaudio.evaluation.report import as_data, plot, table
from vqaudio.evaluation.scoring import ClipScore, Evaluation, SystemScore


def test_the_table_shows_code_usage_with_the_frames_it_rests_on(folder):
    lines = table(small_evaluation(folder)).splitlines()
    first, second = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines[-2:])
    assert first == ["1", "100.0%", "8", "8", "225"]  # 4.5 s at 50 frames a second
    assert second == ["2", "25.0%", "2", "8", "225"]


def test_json_holds_means_and_files_and_null_for_undefined(folder):
    data = json.loads(json.dumps(as_data(small_evaluation(folder)), allow_nan=False))
    (system,) = data["systems"]
    assert system["means"]["si_sdr_db"] == {"mean": 100.0, "half_width_95": 0.0, "clips": 2}
    quiet = system["files"][2]
    assert quiet["pesq_wb"] is None
    assert quiet["log_mel"] == 0.0
    assert quiet["seconds"] == 1.0
    assert quiet["bytes"] == 1000
    assert data["codebooks"][1] == {
        "codebook": 2,
        "codebook_size": 8,
        "used": 0.25,
        "perplexity": pytest.approx(2.0, abs=0.01),
        "frames": 225,
    }


def test_the_plot_is_a_png_of_every_family_even_where_a_metric_is_undefined(tmp_path):
    values = dict.fromkeys(METRICS, 0.5)
    known = SystemScore("x 1", "x", [ClipScore("a", 1.0, 500, values), ClipScore("b", 1.0, 500, values)])
    unknown = SystemScore("y 1", "y", [ClipScore("a", 1.0, 100, dict.fromkeys(METRICS, math.nan))])
    plot(Evaluation([known, unknown], []), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_packets_rate_is_told_where_all_clips_have_one():
    values = dict.fromkeys(METRICS, 0.5)
    scored = SystemScore("x", "x", [ClipScore("a", 1.0, 1000, values, 500), ClipScore("b", 3.0, 1000, values, 1000)])
    assert scored.packet_kbps == pytest.approx(3.0)
    assert "x: 3.00 kb/s without the container" in table(Evaluation([scored], []))
    scored.clips.append(ClipScore("c", 1.0, 1000, values))
    assert scored.packet_kbps is None
    assert "container" not in table(Evaluation([scored], []))


def test_every_metric_that_is_plotted_has_a_panel(tmp_path):
    judged = {**METRICS, "loud": Metric("loudness", lambda reference, decoded: 1.0, 0, compares=False)}
    scored = SystemScore("x 1", "x", [ClipScore("a", 1.0, 500, dict.fromkeys(judged, 0.5))])
    plot(Evaluation([scored], []), tmp_path / "two.png")
    plot(Evaluation([scored], [], judged), tmp_path / "three.png")
    two, three = (imread(tmp_path / name).shape for name in ("two.png", "three.png"))
    assert three[1] == pytest.approx(1.5 * two[1], abs=2)
