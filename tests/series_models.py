"""Small models of tables, and what they are good at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from vqaudio.series import Column, Table
from vqaudio.series.coding.context_features import N_FEATURES
from vqaudio.series.coding.model import KIND


def tensors(seed: int = 0, hidden: int = 16) -> dict[str, np.ndarray]:
    """A model that knows nothing, but of which every number matters."""
    random, found = np.random.default_rng(seed), {}
    for name, (outputs, inputs) in {
        "first": (hidden, N_FEATURES),
        "second": (hidden, hidden),
        "logits": (64, hidden),
    }.items():
        found[f"{name}.weight"] = random.integers(-127, 128, (outputs, inputs), np.int8)
        found[f"{name}.bias"] = random.integers(-5000, 5000, outputs).astype(np.int32)
        found[f"{name}.shift"] = np.full(outputs, 12 if name == "first" else 9, np.int8)
    found["logits.bias"] = (-(np.arange(64, dtype=np.int32) ** 2) * 300).astype(np.int32)
    found["exp"] = np.floor(2.0**24 * np.exp(-np.arange(600) / 32) + 0.5).astype(np.int32)
    return found


def saved(path: Path, seed: int = 0) -> Path:
    save_file(tensors(seed), path, {"config": json.dumps({"kind": KIND})})
    return path


def series(random: np.random.Generator, rows: int) -> np.ndarray:
    return np.rint(random.normal(0, 3, rows).cumsum() + 40 * np.sin(np.arange(rows) / 9)).astype(np.int64)


def as_table(*columns: np.ndarray) -> Table:
    named = enumerate(columns)
    return Table(
        [Column(f"c{i}", one.dtype.name, one, np.zeros(len(one), np.uint8)) for i, one in named], {"suffix": ".npy"}
    )


def dice(seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).choice([0, 1, 10], 500, p=[0.4, 0.4, 0.2])


def good_at_dice(path: Path) -> Path:
    """A model of the tokens of :func:`dice`."""
    found = tensors()
    found["logits.weight"][:], found["logits.shift"][:] = 0, 0
    found["logits.bias"][:] = -160  # in 32nds of a nat
    found["logits.bias"][[0, 1, 19]] = [0, 0, -22]
    save_file(found, path, {"config": json.dumps({"kind": KIND})})
    return path
