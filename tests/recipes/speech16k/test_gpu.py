"""The stage within minutes of one GPU, rehearsed on the CPU: shards, training, weights in pieces."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import soundfile
from tiny_models import RATE, sound

from recipes.speech16k import pack
from recipes.stages import RECIPES
from vqaudio.audio.recordings import list_recordings
from vqaudio.config.runs import load_yaml
from vqaudio.model import checkpoint
from vqaudio.registry import DEFAULT_MODEL

SCRIPT = RECIPES / "speech16k" / "gpu.sh"


def recordings(folder: Path) -> Path:
    """Five WAV files of 4 s, the last for validation, with a manifest."""
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "corpus", "speaker", "split"])
        for index in range(5):
            soundfile.write(folder / f"{index}.wav", sound(4 * RATE, seed=index)[0], RATE)
            rows.writerow([f"{index}.wav", "toy", f"s{index}", "valid" if index == 4 else "train"])
    return folder


def packed(folder: Path, out: Path, shard_mib: float) -> None:
    """Run ``pack.py`` in this process."""
    arguments = sys.argv
    sys.argv = ["pack.py", str(folder), str(out), "--shard-mib", str(shard_mib)]
    try:
        pack.main()
    finally:
        sys.argv = arguments


def test_shards_hold_every_recording_and_a_manifest_that_joins(tmp_path):
    packed(recordings(tmp_path / "speech"), tmp_path / "shards", shard_mib=0.1)
    shards = sorted(tmp_path.glob("shards/*/shard.tgz"))
    assert len(shards) > 1
    there = tmp_path / "there"
    for shard in shards:
        with tarfile.open(shard) as tar:
            tar.extractall(there, filter="data")
    parts = sorted(there.glob("part-*.csv"))
    (there / "manifest.csv").write_text("".join(part.read_text() for part in parts))
    found = list_recordings(there)
    assert sorted(item.speaker for item in found) == ["s0", "s1", "s2", "s3", "s4"]
    assert {item.path.suffix for item in found if item.split == "train"} == {".opus"}
    kept = next(item for item in found if item.split == "valid")
    assert kept.path.suffix == ".wav"
    for item in found:
        assert soundfile.info(item.path).frames == 4 * RATE


@pytest.mark.slow
def test_both_stages_run_from_shards_to_pieces_of_weights(tmp_path):
    environment = os.environ | {"PYTHON": sys.executable, "ACCELERATOR": "cpu", "STORE": str(tmp_path / "store")}
    environment |= {"BATCH": "2", "CROP": "0.64", "OMP_NUM_THREADS": "1"}
    decoder_config = load_yaml(RECIPES / "speech16k" / "v4-decoder.yaml")["model"]["decoder"]  # what is shipped fits it
    hidden = ",".join(map(str, decoder_config["hidden"]))
    common = f"--set data.weights={{}} --set data.valid_seconds=2 --set model.decoder.hidden=[{hidden}]"
    settings = f"{common} --set adversarial.pretrain_steps=1"

    def run(*arguments: str, **more: str) -> None:
        command = ["bash", str(SCRIPT), *arguments]
        done = subprocess.run(command, env=environment | more, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]

    # the shards where gpu.sh leaves what came along
    packed(recordings(tmp_path / "speech"), tmp_path / "shards", shard_mib=10)
    with tarfile.open(tmp_path / "shards" / "0" / "shard.tgz") as tar:
        tar.extractall(tmp_path / "store" / "speech", filter="data")
    codes, decoder = tmp_path / "codes.safetensors", tmp_path / "decoder.safetensors"
    run("train", "codes", "0.1", str(tmp_path / "out"), SET=common, INIT=DEFAULT_MODEL)
    run("join", str(tmp_path / "out"), str(codes))
    run("train", "decoder", "0.1", str(tmp_path / "more"), SET=settings, INIT=str(codes), OPTIMIZER="adamw")
    run("join", str(tmp_path / "more"), str(decoder))
    first, second = checkpoint.load(codes), checkpoint.load(decoder)
    assert first.fingerprint == second.fingerprint
    assert max(path.stat().st_size for path in tmp_path.glob("*/*.safetensors.*")) <= 15 * 2**20
    assert sorted(path.name for path in (tmp_path / "more").glob("disc*")) == ["discriminators.safetensors.00"]
    assert "step" in (tmp_path / "more" / "train.log").read_text()
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False)
    assert not left.stdout
