"""The stages: what they ask for and refuse, their configs, and all of them on four speakers."""

from __future__ import annotations

import csv
import json
import os
import re

import numpy as np
import pytest
import yaml
from recipe_scripts import run_recipe

import vqaudio
from recipes.stages import RECIPES, main
from recipes.vctk.run import Vctk
from vqaudio.config.prior import PriorTrainConfig
from vqaudio.config.runs import load_yaml, parse_run
from vqaudio.config.training import TrainConfig

RECIPE = RECIPES / "vctk"


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that the recipe says in place of running."""
    assert main(Vctk, [*map(str, arguments)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_a_stage_asks_for_those_before_it(tmp_path, capsys):
    out = tmp_path / "out"
    for stage, name in ((2, "codec"), (3, "tokens"), (5, "evaluate"), (6, "samples")):
        said = refused(capsys, "--out", out, "--stage", stage)
        missing = f"{out}/data/manifest.csv: run stage 1 (prepare) first, with --stage prepare"
        assert f"stage {stage} ({name}) needs {missing}" in said
    (out / "data").mkdir(parents=True)
    (out / "data" / "manifest.csv").touch()
    assert "paper/codec/model.safetensors: run stage 2 (codec) first" in refused(
        capsys, "--out", out, "--stage", "tokens", "--config", "conf/paper.yaml"
    )


@pytest.mark.parametrize("options", [[], ["--quick"], ["--quick", "--stage", "0"]])
def test_nothing_is_downloaded_unasked(tmp_path, monkeypatch, capfd, options):
    """Without the corpus, the stages that a run begins with stop; ``curl`` here would leave a mark."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "curl").write_text(f"#!/bin/sh\ntouch {tmp_path / 'fetched'}\nexit 1\n")
    (tools / "curl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("VQAUDIO_DATA", str(tmp_path / "nothing"))
    monkeypatch.delenv("VCTK_ROOT", raising=False)
    assert main(Vctk, [*options, "--out", str(tmp_path / "out")]) == 1
    assert "no such folder; set VCTK_ROOT" in capfd.readouterr().err
    assert not (tmp_path / "fetched").exists()
    if not options:  # asked for, it is
        assert main(Vctk, ["--download", "--out", str(tmp_path / "out")]) == 1
        assert "curl stopped with status 1" in capfd.readouterr().err
        assert (tmp_path / "fetched").exists()


def test_configs_that_are_not_there_are_refused(tmp_path, capsys):
    said = refused(capsys, "--config", "conf/none.yaml")
    assert "conf/none.yaml: no such file; name one of conf/base.yaml, conf/paper.yaml, conf/quick.yaml" in said
    (tmp_path / "mine.yaml").touch()
    assert "mine_prior.yaml: no such file" in refused(capsys, "--config", tmp_path / "mine.yaml")


def test_configs_come_in_pairs_that_know_speakers():
    names = {path.stem for path in (RECIPE / "conf").glob("*.yaml")}
    codecs = {name for name in names if not name.endswith("_prior")}
    assert codecs == {"paper", "base", "quick"}
    assert names - codecs == {f"{name}_prior" for name in codecs}
    for name in codecs:
        codec = parse_run(load_yaml(RECIPE / "conf" / f"{name}.yaml"))
        prior = parse_run(load_yaml(RECIPE / "conf" / f"{name}_prior.yaml"))
        assert isinstance(codec, TrainConfig)
        assert codec.speaker_corpora == ("vctk",)
        assert codec.data.unknown_speaker > 0  # else the decoder could not work for unseen speakers
        assert isinstance(prior, PriorTrainConfig)
        assert prior.fields == ("speaker",)
        assert prior.model.code_dim == codec.model.latent_dim  # so that it starts from the codebooks


def test_the_papers_setting_is_the_papers():
    config = parse_run(load_yaml(RECIPE / "conf" / "paper.yaml"))
    assert isinstance(config, TrainConfig)
    model = yaml.safe_load(config.model.model_dump_json())
    assert model["encoder"]["strides"] == [2] * 6
    assert config.model.hop_length == 64
    assert (model["bottleneck"]["kind"], model["bottleneck"]["codebook_size"]) == ("vq", 512)
    assert (model["bottleneck"]["update"], model["bottleneck"]["commitment"]) == ("loss", 0.25)
    assert model["decoder"]["kind"] == "strided"
    assert model["decoder"]["units"] > 0  # those are what the speaker reaches


@pytest.mark.slow
def test_all_stages_run_on_four_speakers(data_folder, tmp_path):
    out = tmp_path / "out"
    done = run_recipe("vctk", data_folder / "speech" / "vctk", "--quick", "--out", out)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == [
        f"== stage {number}: {name}"
        for number, name in enumerate(("corpus", "prepare", "codec", "tokens", "prior", "evaluate", "samples"))
    ]
    folder = out / "quick"
    codec = vqaudio.load(folder / "codec" / "model.safetensors", prior=folder / "prior" / "model.int8.safetensors")
    with (out / "data" / "manifest.csv").open(newline="") as file:
        heard = sorted({row["speaker"] for row in csv.DictReader(file) if row["split"] == "train"})
    assert list(codec.speakers) == list(codec.prior.fields["speaker"]) == heard

    table = (folder / "evaluation" / "evaluation.md").read_text()
    assert table in done.stdout
    systems = json.loads((folder / "evaluation" / "evaluation.json").read_text())["systems"]
    assert len(systems) == 4  # one and two codebooks, without and with the prior
    assert all(system["means"]["stoi"]["clips"] == 2 for system in systems)
    assert (folder / "evaluation" / "evaluation.png").read_bytes().startswith(b"\x89PNG")

    page = (folder / "samples.html").read_text()
    desks = [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    # a clip from two and one codebooks; samples of nobody and of two speakers; the clip in two voices
    assert [len(desk["takes"]) for desk in desks] == [1 + 2, 1, 1, 1, 1 + 2]
    first, second = (take["sound"] for take in desks[-1]["takes"][1:])
    assert first != second  # another speaker, another sound, if only by a little after so few steps

    again = run_recipe("vctk", "--quick", "--out", out, "--stage", 6)
    assert again.returncode == 0, again.stderr[-2000:]
    assert (folder / "samples.html").read_text() == page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "base"])
def test_the_full_configs_train_and_convert(data_folder, tmp_path, name):
    data = tmp_path / "out" / "data"
    smallest = ("--set", "steps=2", "--set", "quantize_after=1", "--set", "data.batch_size=1")
    done = run_recipe("vctk", data_folder / "speech" / "vctk", "--quick", "--out", data.parent, "--to", 1)
    assert done.returncode == 0, done.stderr[-2000:]
    from vqaudio.train import main

    config, run = RECIPE / "conf" / f"{name}.yaml", tmp_path / "run"
    settings = ("--set", f"out={run}", "--set", f"data.folder={data}", "--set", "data.valid_seconds=1")
    assert main([str(config), *smallest, *settings]) == 0
    codec = vqaudio.load(run / "model.safetensors")
    sound = (0.1 * np.sin(np.arange(16000) / 10)).astype(np.float32)
    voices = [codec.convert(sound, 16000, speaker=speaker) for speaker in codec.speakers]
    assert len(voices) == 2
    assert all(voice.shape == (1, 16000) and np.isfinite(voice).all() for voice in voices)
