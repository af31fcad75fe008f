"""The command line from end to end, on synthetic speech."""

import json

import pytest
from judged import RoundingCodec, write_clips

from vqaudio import evaluate as command_line


@pytest.fixture
def folder(tmp_path):
    return write_clips(tmp_path)


@pytest.fixture
def shipped(monkeypatch):
    """The command line finds the stand-in under every model's name."""
    monkeypatch.setattr("vqaudio.codec.codec.load", lambda name, device, **given: RoundingCodec())


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
    monkeypatch.setattr(RoundingCodec, "least_codebooks", 2)
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
