"""Configs from plain data: what is accepted, and that every refusal names the key."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from refusals import nested, refusal
from tiny_models import TINY_CONFIGS

from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import dump_json, parse
from vqaudio.config.training import TrainConfig


@pytest.mark.parametrize("path", ["stepps", "data.folders", "model.hop", "model.encoder.channel", "loss.mell"])
def test_unknown_keys_are_named_by_their_path(path: str) -> None:
    data = nested(path, 1)
    if "encoder" in path:
        data["model"]["encoder"]["kind"] = "spectral"
    assert refusal(data) == f"{path}: unknown key, remove it or correct its name"


BAD_VALUES = [
    ("steps", 0, "found 0"),
    ("steps", "many", "valid integer"),
    ("learning_rate", 0, "greater than 0"),
    ("learning_rate", math.inf, "finite"),
    ("clip_norm", math.nan, "finite"),
    ("precision", "fp16", "'32-true' or 'bf16-mixed'"),
    ("betas", [0.9, 1.0], "less than 1"),
    ("model.latent_dim", 0, "found 0"),
    ("model.sample_rate", "x", "found 'x'"),
    ("data.speed_probability", 1.5, "found 1.5"),
    ("data.speed_range", [0.0, 1.1], "greater than 0"),
    ("data.speed_range", [1.1], "Field required"),
    ("adversarial.windows", [1024, 0], "found 0"),
    ("loss", 3, "valid dictionary"),
    ("model.encoder", 3, "valid dictionary"),
]


@pytest.mark.parametrize(("path", "value", "reason"), BAD_VALUES)
def test_bad_values_are_named_by_their_path(path: str, value: Any, reason: str) -> None:
    message = refusal(nested(path, value))
    assert message.startswith(path)
    assert reason in message


@pytest.mark.parametrize(
    ("path", "kind", "value"),
    [
        ("model.encoder.window", "spectral", 3),
        ("model.encoder.strides.1", "strided", [4, 0]),
        ("model.decoder.channels", "spectral", 1),
        ("model.decoder.units", "strided", -1),
        ("model.bottleneck.codebook_size", "vq", 1),
        ("model.bottleneck.n_codebooks", "residual", 65),
        ("model.bottleneck.dropout", "residual", 2),
    ],
)
def test_paths_do_not_hold_the_kind(path: str, kind: str, value: Any) -> None:
    """The path is the one that --set takes."""
    section, key = path.removesuffix(".1").rsplit(".", 1)
    data = nested(section, {"kind": kind, key: value})
    assert refusal(data).startswith(f"{path}: ")


def test_all_problems_are_told_at_once() -> None:
    message = refusal({"steps": 0, "seed": "x", "extra": 1})
    assert [problem.split(":")[0] for problem in message.split("; ")] == ["steps", "seed", "extra"]


def test_long_values_are_cut() -> None:
    assert len(refusal({"steps": "9" * 500 + "x"})) < 200


@pytest.mark.parametrize("data", [[1], "text", None, 3])
def test_a_config_is_a_mapping(data: Any) -> None:
    assert refusal(data).startswith("(top level): ")


def test_keys_are_words() -> None:
    assert refusal({1: 2}).startswith("1: ")


def test_unknown_and_absent_kinds() -> None:
    unknown = refusal({"model": {"encoder": {"kind": "wavelet"}}})
    assert unknown.startswith("model.encoder: ")
    assert "'spectral', 'strided'" in unknown
    absent = refusal({"model": {"bottleneck": {"codebook_size": 8}}})
    assert absent.startswith("model.bottleneck: has no kind; add model.bottleneck.kind")


@pytest.mark.parametrize("kind", TINY_CONFIGS)
def test_json_round_trip(kind: str) -> None:
    config = TINY_CONFIGS[kind]()
    text = dump_json(config)
    assert "\n" not in text
    assert parse(ModelConfig, json.loads(text)) == config
    assert dump_json(parse(ModelConfig, json.loads(text))) == text


def test_json_of_a_whole_run() -> None:
    config = parse(TrainConfig, {"adversarial": {"windows": [64, 32]}, "model": {"bottleneck": {"kind": "identity"}}})
    assert parse(TrainConfig, json.loads(dump_json(config))) == config
    assert list(json.loads(dump_json(config))) == sorted(TrainConfig.model_fields)
