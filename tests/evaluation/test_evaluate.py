"""Clips, scores and reports, and the command line from end to end on synthetic speech."""

import csv
import json
import math

import numpy as np
import pytest
import soundfile
from judged import Rounding
from matplotlib.image import imread

from vqaudio import evaluate as command_line
from vqaudio.audio.resampling import read_mono
from vqaudio.evaluation import EvaluationError
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Metric
from vqaudio.evaluation.report import as_data, plot, table
from vqaudio.evaluation.scoring import ClipScore, CodeUsage, Evaluation, SystemScore, evaluate
from vqaudio.evaluation.systems import Coded

# ------------------------------------------------------------------------------------------------------------- clips


def test_without_a_manifest_every_audio_file_long_enough_is_taken(folder):
    chosen = select(folder, min_seconds=1.0)
    assert [chosen.name(path) for path in chosen.paths] == ["a.wav", "b/c.flac", "quiet.wav"]
    assert chosen.too_short == 1


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (None, ["a.wav"]),
        ("train", ["b/c.flac"]),
        ("test", ["quiet.wav"]),
        ("all", ["a.wav", "b/c.flac", "quiet.wav"]),
    ],
)
def test_a_manifest_with_splits_chooses(folder, split, names):
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = [("path", "split"), ("b/c.flac", "train"), ("a.wav", "valid"), ("quiet.wav", "test")]
        csv.writer(file).writerows(rows)
    chosen = select(folder, split)
    assert [chosen.name(path) for path in chosen.paths] == names


def test_a_limit_is_spread_over_the_folder(tmp_path):
    for index in range(10):
        soundfile.write(tmp_path / f"{index}.wav", np.zeros(100), SAMPLE_RATE)
    assert [path.stem for path in select(tmp_path, limit=3).paths] == ["0", "3", "6"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "valid"}, "manifest.csv.*leave --split out"),
        ({"min_seconds": 60.0}, "all 4 recordings are shorter than 60 s.*--min-seconds"),
    ],
)
def test_a_choice_that_leaves_nothing_is_refused(folder, options, message):
    with pytest.raises(EvaluationError, match=message):
        select(folder, **options)


def test_a_folder_without_recordings_or_that_is_missing_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="holds no recordings"):
        select(tmp_path)
    with pytest.raises(EvaluationError, match="no such folder"):
        select(tmp_path / "absent")


def test_a_clip_is_mono_at_16_khz(tmp_path):
    left = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, np.zeros_like(left)], axis=1), 44100, "FLOAT")
    clip = read_mono(tmp_path / "stereo.wav", SAMPLE_RATE)
    assert clip.dtype == np.float32
    assert clip.shape == (SAMPLE_RATE,)
    expected = np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE) / 2
    assert np.abs(clip - expected)[1000:-1000].max() < 1e-3


# ------------------------------------------------------------------------------------------------ scores and reports


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


class Perfect:
    """A system that changes nothing, at 8 kb/s."""

    name, family = "perfect", "ideal"

    def run(self, clip):
        return Coded(clip, len(clip) // 16)


def small_evaluation(folder) -> Evaluation:
    return evaluate(select(folder, min_seconds=1.0), [Perfect()], Rounding(), progress=False)


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


# ------------------------------------------------------------------------------------------------------ command line


@pytest.fixture
def shipped(monkeypatch):
    """The command line finds the stand-in under every model's name."""
    monkeypatch.setattr("vqaudio.codec.codec.load", lambda name, device, prior: Rounding())


def test_the_command_prints_a_table_and_writes_json_and_a_plot(folder, shipped, tmp_path, capsys):
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    arguments = [str(folder), "--peers", "none", "--json", str(out), "--plot", str(picture)]
    assert command_line.main(arguments) == 0
    captured = capsys.readouterr()
    assert "3 clips, 1 shorter than 1 s skipped" in captured.err
    rows = [line.split("|")[1].strip() for line in captured.out.splitlines() if line.startswith("| rounding")]
    assert rows == ["rounding, 1 codebook", "rounding, 2 codebooks"]
    systems = json.loads(out.read_text())["systems"]
    assert [round(system["kbps"]) for system in systems] == [256, 256]
    stoi = [system["means"]["stoi"]["mean"] for system in systems]
    assert stoi[0] < stoi[1] < 1.0
    assert picture.stat().st_size > 1000


def test_entropy_modes_and_weights_are_rows_of_their_own(folder, shipped, tmp_path, capsys):
    out = tmp_path / "out.json"
    options = ["--codebooks", "2", "--entropy", "none,context,prior", "--rdo", "0,1", "--json", str(out)]
    assert command_line.main([str(folder), "--peers", "none", *options]) == 0
    systems = {system["name"]: system for system in json.loads(out.read_text())["systems"]}
    ways = [", none", ", context", ", prior", ", prior, rdo 1"]
    assert list(systems) == [f"rounding, 2 codebooks{way}" for way in ways]
    plain, context, prior, coarser = systems.values()
    assert prior["kbps"] == context["kbps"] < plain["kbps"]
    assert coarser["kbps"] < prior["kbps"]
    assert coarser["means"]["stoi"]["mean"] < prior["means"]["stoi"]["mean"] == plain["means"]["stoi"]["mean"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--codebooks", "1,3"], "--codebooks 3: the model rounding has 2"),
        (["--json", "absent/out.json"], "its folder does not exist"),
        (["--split", "train"], "has no manifest.csv"),
        (["--split", "test"], "has no manifest.csv"),
    ],
)
def test_the_command_refuses_in_one_line_before_any_work(folder, shipped, capsys, options, message):
    assert command_line.main([str(folder), "--peers", "none", *options]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert captured.out == ""


def test_models_that_need_all_their_codebooks_are_asked_for_all(folder, shipped, capsys, monkeypatch):
    monkeypatch.setattr(Rounding, "least_codebooks", 2)
    assert command_line.main([str(folder), "--peers", "none", "--codebooks", "1"]) == 1
    assert "--codebooks 1: the model rounding cannot do with so few; ask for at least 2" in capsys.readouterr().err
    assert command_line.main([str(folder), "--peers", "none"]) == 0
    assert "1 codebook" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["0", "1,", "two", "1.5"])
def test_numbers_of_codebooks_are_whole(folder, text, capsys):
    assert command_line.main([str(folder), "--codebooks", text]) == 2
    assert "Invalid value for '--codebooks'" in capsys.readouterr().err


def test_a_real_codec_fits_the_interface(folder, tmp_path, capsys):
    import torch

    from vqaudio.config.model import ModelConfig
    from vqaudio.config.reading import parse
    from vqaudio.model.autoencoder import Autoencoder
    from vqaudio.model.checkpoint import save

    torch.manual_seed(0)
    narrow = {"channels": 8, "units": 1}
    config = parse(
        ModelConfig,
        {
            "latent_dim": 4,
            "encoder": {"kind": "spectral", "stem_channels": 8, "stem_units": 0, **narrow},
            "bottleneck": {"kind": "residual", "codebook_size": 16, "n_codebooks": 2},
            "decoder": {"kind": "spectral", **narrow},
        },
    )
    save(Autoencoder(config), tmp_path / "tiny.safetensors")
    out = tmp_path / "out.json"
    arguments = ["--model", str(tmp_path / "tiny.safetensors"), "--peers", "none", "--limit", "1", "--json", str(out)]
    assert command_line.main([str(folder), *arguments]) == 0
    assert "tiny, 2 codebooks" in capsys.readouterr().out
    data = json.loads(out.read_text())
    assert [len(system["files"]) for system in data["systems"]] == [1, 1]
    assert [codebook["frames"] for codebook in data["codebooks"]] == [102, 102]  # 2 s, and 20 ms beyond either end
