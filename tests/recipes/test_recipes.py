"""The recipes run from data to figures; here on a few recordings and for seconds, so that only the way is tested."""

from __future__ import annotations

import copy
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import torch
from recipe_scripts import RECIPES, script
from tiny_models import HOP, RATE, sound, tiny_model

from vqaudio.config.reading import load_yaml, parse
from vqaudio.config.training import TrainConfig
from vqaudio.errors import VqaudioError
from vqaudio.model import checkpoint
from vqaudio.model.encoder import build_encoder
from vqaudio.model.layers import ResidualUnit


def test_the_speech_encoder_hears_at_most_60_ms_ahead_of_a_frames_end():
    config = parse(TrainConfig, load_yaml(RECIPES / "speech16k" / "v4-codes.yaml"))
    encoder = build_encoder(config.model.encoder, config.model.latent_dim)
    assert encoder.span.right / config.model.sample_rate <= 0.060
    sound = torch.randn(1, 1, 40 * encoder.hop_length, requires_grad=True)
    encoder(sound)[0, :, 30].square().sum().backward()
    ahead = int(sound.grad[0, 0].nonzero().max()) + 1 - 31 * encoder.hop_length
    assert ahead == encoder.span.right


def test_digits_are_listed_by_their_names(tmp_path, capsys):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("7_jackson_3.wav", "7_jackson_5.wav", "0_theo_12.flac", "notes.txt", "7_jackson.wav"):
        (folder / name).touch()
    prepare = script("digits/prepare.py")
    assert prepare.main([str(folder), str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(r["path"]).name, r["speaker"], r["label"], r["split"]) for r in rows] == [
        ("0_theo_12.flac", "theo", "0", "train"),
        ("7_jackson_3.wav", "jackson", "7", "valid"),
        ("7_jackson_5.wav", "jackson", "7", "train"),
    ]
    assert "3 recordings of 2 speakers" in capsys.readouterr().out
    with pytest.raises(VqaudioError, match="holds no recordings named like"):
        prepare.recordings(tmp_path / "out")


@pytest.mark.slow
def test_the_digits_recipe_goes_from_recordings_to_a_report(data_folder, tmp_path):
    folder = tmp_path / "fsdd"
    folder.mkdir()
    for take in (0, 5, 6):
        for path in (data_folder / "speech" / "digits").rglob(f"*_{take}.flac"):
            (folder / path.name).symlink_to(path)
    short = {"CODEC_MINUTES": "0.15", "PRIOR_MINUTES": "0.15", "VERSIONS": "1", "CLIPS": "1"}
    environment = (
        os.environ
        | short
        | {"OUT": str(tmp_path / "out"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    )
    command = ["bash", str(RECIPES / "digits" / "run.sh"), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    report = tmp_path / "out" / "report"
    figures = json.loads((report / "figures.json").read_text())
    assert 0.5 < figures["speaker real"] <= 1
    assert {f"{field} {kind}" for field in ("label", "speaker") for kind in ("real", "decoded", "drawn")} < set(figures)
    assert len(list(report.glob("*.wav"))) == 60
    assert (report / "spectrograms.png").stat().st_size > 10_000
    assert "60 clips drawn" in (report / "report.md").read_text()


def test_a_lighter_encoder_makes_nearly_the_same_features(tmp_path):
    start, out, sounds = tmp_path / "start.safetensors", tmp_path / "lighter.safetensors", tmp_path / "sounds"
    model = tiny_model()
    checkpoint.save(model, start)
    sounds.mkdir()
    for index in range(3):
        soundfile.write(sounds / f"{index}.wav", sound(2 * RATE, seed=index)[0], RATE)
    lighter = script("speech16k/lighter.py")
    sizes = ["--stem-expansion", "1", "--expansion", "1"]
    assert lighter.main([str(sounds), str(start), str(out), *sizes]) == 0
    made, before = checkpoint.load(out), checkpoint.load(start)
    assert made.fingerprint == before.fingerprint
    units = [[layer for layer in one.encoder.layers if isinstance(layer, ResidualUnit)] for one in (made.model, model)]
    assert all(2 * few.expand.out_features == many.expand.out_features for few, many in zip(*units, strict=True))
    unseen = torch.from_numpy(sound(50 * HOP, seed=9))[None]
    worse = copy.deepcopy(made.model.encoder)
    for layer in worse.layers:
        if isinstance(layer, ResidualUnit):
            layer.contract.weight.data.zero_()
    features, found, without = (part(unseen) for part in (before.model.encoder, made.model.encoder, worse))
    assert (found - features).square().mean() < 0.1 * (without - features).square().mean()
    with pytest.raises(SystemExit):
        lighter.main([str(sounds), str(start), str(out), "--expansion", "0"])
