"""Tiny training runs: two seconds of toy sound a file, a model of some thousand weights, a dozen steps."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import RATE, spectral_config

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.config.reading import dump_json
from vqaudio.config.training import RunConfig, TrainConfig

ALWAYS = 1e-6  # minutes between saves: after every step


SMALL_ADVERSARIAL = {"start": 0.4, "pretrain_steps": 2, "windows": (256, 128), "channels": 4}


def toy_folder(folder: Path) -> Path:
    """Four WAV files of a tone that swells, with a little noise: three to train on and one for validation."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    for index in range(4):
        tone = np.sin(2 * np.pi * (150 + 100 * index) * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
        soundfile.write(folder / f"{index}.wav", 0.3 * tone + 0.005 * random.standard_normal(len(time)), RATE)
    return folder


def toy_config(folder: Path, **changes: Any) -> TrainConfig:
    """A run in ``folder``/run on ``folder``/sounds, with changed values."""
    if not (folder / "sounds").exists():
        toy_folder(folder / "sounds")
    values: dict[str, Any] = {
        "model": spectral_config(),
        "data": {"folder": str(folder / "sounds"), "crop_seconds": 0.25, "batch_size": 2, "valid_seconds": 1.0},
        "loss": {"margin_seconds": 0.02},
        "out": str(folder / "run"),
        "steps": 12,
        "warmup_steps": 2,
        "quantize_after": 2,
        "log_every": 1,
        "accelerator": "cpu",
    }
    return TrainConfig.model_validate(values | changes)


def two_process_config(folder: Path, update: str = "ema") -> TrainConfig:
    """Few crops for many codes, so that codes die and are revived."""
    config = toy_config(folder, devices=2, weight_ema=0.9, adversarial=SMALL_ADVERSARIAL, save_every_minutes=ALWAYS)
    bottleneck = ResidualConfig(codebook_size=64, n_codebooks=2, update=update, revive_below=0.5)
    return config.model_copy(update={"model": config.model.model_copy(update={"bottleneck": bottleneck})})


def written(config: RunConfig, folder: Path) -> str:
    """The path of the config as a file (JSON is YAML)."""
    path = folder / "config.yaml"
    path.write_text(dump_json(config), encoding="utf-8")
    return str(path)


def logged(out: str | Path, version: int = 0) -> dict[int, dict[str, float]]:
    """The training figures of a run's CSV by step, without those that depend on the clock."""
    with (Path(out) / "logs" / f"version_{version}" / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    return {
        int(row["step"]): {
            name: float(value)
            for name, value in row.items()
            if value and name.startswith("train/") and not name.endswith("_per_second")
        }
        for row in rows
    }


def numbers(out: str | Path) -> dict[str, Any]:
    """The JSON in a resume state."""
    data = (Path(out) / "resume.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found: dict[str, Any] = json.loads(header["__metadata__"]["numbers"])
    return found


def run_python(*arguments: str, timeout: float = 600.0, **variables: str) -> subprocess.CompletedProcess[str]:
    """A Python process with as many threads as this one: sums depend on how they are split.

    ``variables`` are those of its environment that are not this one's.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())} | variables
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command printed for its failure."""
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0].removeprefix("error: ")


def run_from(start: Path, parts: dict[str, dict[str, Any]] | None = None, **changes: Any) -> TrainConfig:
    """A run that starts from a model, with changed values of its parts."""
    model = spectral_config().model_dump()
    for part, values in (parts or {}).items():
        model[part] |= values
    config = toy_config(start.parent, init_from=str(start), quantize_after=0, **changes)
    return TrainConfig.model_validate(config.model_dump() | {"model": model})
