"""``python -m vqaudio.train``: what it refuses, and when; what it shows."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from tiny_runs import error_of, run_python, toy_config, written

from vqaudio.train import main


def test_missing_recordings_are_noticed_before_anything_is_written(tmp_path, capsys):
    path = written(toy_config(tmp_path), tmp_path)
    assert main([path, "--set", f"data.folder={tmp_path / 'absent'}"]) == 1
    assert "absent: no such folder; set data.folder" in error_of(capsys)
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_is_noticed_before_torch_is_imported(tmp_path):
    path = written(toy_config(tmp_path), tmp_path)
    code = "import sys; from vqaudio.train import main; status = main(sys.argv[1:]); print('torch' in sys.modules)"
    done = run_python("-c", code, path, "--data", str(tmp_path / "absent"))
    assert done.stdout == "False\n"
    assert done.stderr.startswith(f"error: {tmp_path / 'absent'}: no such folder; ")


def test_a_config_with_weights_learns_from_anybodys_folder(tmp_path, capsys):
    config = toy_config(tmp_path, steps=1)
    weighted = config.model_copy(update={"data": config.data.model_copy(update={"weights": {"theirs": 1.0}})})
    path = written(weighted, tmp_path)
    mine = tmp_path / "it's: mine"
    Path(config.data.folder).rename(mine)
    assert main([path, "--data", str(mine), "--set", "data.weights={theirs: 1}"]) == 1
    assert "data.weights names theirs" in error_of(capsys)
    assert main([path, "--data", str(mine), "--device", "cpu", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    stored = json.loads(Path(config.out, "config.json").read_text())["data"]
    assert (stored["folder"], stored["weights"]) == (str(mine), {})


def test_a_terminal_gets_a_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    config = toy_config(tmp_path, steps=2)
    assert main([written(config, tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{config.out}/model.safetensors\n"
    bars = [line for line in re.split("[\r\n]", said.err) if "training:" in line]
    assert all(name in bars[-1] for name in ("2/2", "loss=", "mel=", "complex=", " s/s"))


def test_what_this_machine_lacks_is_said_in_a_line(tmp_path, capsys):
    if torch.cuda.is_available():
        pytest.skip("this machine has what the test wants it to lack")
    assert main([written(toy_config(tmp_path, accelerator="cuda"), tmp_path)]) == 1
    assert error_of(capsys).startswith("cannot train with accelerator 'cuda', devices 1")


def test_unknown_keys_are_named_before_torch_is_imported(tmp_path):
    path = written(toy_config(tmp_path), tmp_path)
    code = (
        "import sys; from vqaudio.train import main; "
        "status = main(sys.argv[1:]); print('torch' in sys.modules or 'lightning' in sys.modules); sys.exit(status)"
    )
    done = run_python("-c", code, path, "--set", "model.encoder.chanels=3")
    assert (done.returncode, done.stdout) == (1, "False\n")
    assert done.stderr == f"error: {path}: model.encoder.chanels: unknown key, remove it or correct its name\n"


def test_the_missing_extra_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    assert main([written(toy_config(tmp_path), tmp_path)]) == 1
    assert error_of(capsys) == "train needs lightning: pip install 'vqaudio[train]'"


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_minutes_must_be_a_length(tmp_path, capsys, minutes):
    assert main([written(toy_config(tmp_path), tmp_path), f"--minutes={minutes}"]) == 1
    assert "expected a number above 0" in error_of(capsys)


@pytest.mark.parametrize("option", ["--workers", "--max-failures"])
def test_what_counts_on_a_cluster_alone_is_refused_without_one(tmp_path, capsys, option):
    assert main(["config.yaml", option, "2"]) == 2
    assert error_of(capsys) == f"{option} needs --cluster (vqaudio train --help tells more)"


def test_a_cluster_needs_the_extra(tmp_path, capsys, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find_spec(name))
    config = toy_config(tmp_path)
    assert main([written(config, tmp_path), "--cluster", "head:6379"]) == 1
    assert error_of(capsys) == "--cluster head:6379 needs ray: pip install 'vqaudio[cluster]'"
    assert not Path(config.out).exists()
