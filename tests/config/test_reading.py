"""Configs from YAML and JSON: what is accepted, and that every refusal names the key."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from refusals import nested, refusal
from tiny_models import TINY_CONFIGS

from vqaudio.config.bottleneck import VQConfig
from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import dump_json, load_yaml, merged, override, parse, parse_run
from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError

# ---------------------------------------------------------------------------------------------------------- refusals


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


# -------------------------------------------------------------------------------------------------------------- YAML


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_overrides_apply_on_top_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "steps: 5\ndata:\n  batch_size: 2\n  weights: {a: 1}\n")
    overrides = ["steps=7", "data.weights={b: 0.5}", "model.bottleneck.kind=vq", "learning_rate=1e-3", "init_from=a=b"]
    config = parse(TrainConfig, override(load_yaml(path), overrides))
    assert (config.steps, config.data.batch_size, config.data.weights) == (7, 2, {"b": 0.5})
    assert config.model.bottleneck == VQConfig()
    assert (config.learning_rate, config.init_from) == (1e-3, "a=b")


def test_an_override_meets_the_same_checks(tmp_path: Path) -> None:
    data = override(load_yaml(written(tmp_path, "")), ["data.batch=4"])
    assert refusal(data) == "data.batch: unknown key, remove it or correct its name"


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("steps", "expected KEY=VALUE, as in --set data.batch_size=4"),
        ("=4", "expected KEY=VALUE"),
        ("steps.more=4", "steps is a value, not a section"),
        ("data.weights={a", "'{a' is not a YAML value"),
    ],
)
def test_broken_overrides(tmp_path: Path, assignment: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(load_yaml(written(tmp_path, "steps: 5")), [assignment])
    assert str(caught.value).startswith(f"--set {assignment}: ")
    assert reason in str(caught.value)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert parse(TrainConfig, load_yaml(written(tmp_path, "# nothing\n"))) == TrainConfig()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("steps: [1", "is not valid YAML"),
        ("- 1\n- 2", "holds list, expected `key: value` lines"),
        ("steps", "holds str, expected"),
        ("out: !!python/object/apply:os.system ['false']", "is not valid YAML"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_on_top_of_another(tmp_path: Path) -> None:
    """Beside it, key by key, and from a third one too."""
    written(tmp_path, "steps: 7\nseed: 3\ndata: {crop_seconds: 2.0, weights: {a: 1.0, b: 2.0}}").rename(
        tmp_path / "first.yaml"
    )
    written(tmp_path, "based_on: first.yaml\nseed: 4\ndata: {batch_size: 5}").rename(tmp_path / "second.yaml")
    last = written(tmp_path, "based_on: second.yaml\ndata: {weights: {b: 0.0}}\nloss: {mel: 2.0}")
    config = parse(TrainConfig, load_yaml(last))
    assert (config.steps, config.seed, config.loss.mel) == (7, 4, 2.0)
    assert (config.data.crop_seconds, config.data.batch_size) == (2.0, 5)
    assert config.data.weights == {"a": 1.0, "b": 0.0}


def test_a_section_of_another_kind_takes_the_place_of_the_whole() -> None:
    base = {"encoder": {"kind": "spectral", "hop": 80, "units": 2}}
    assert merged(base, {"encoder": {"hop": 40}}) == {"encoder": {"kind": "spectral", "hop": 40, "units": 2}}
    assert merged(base, {"encoder": {"kind": "spectral", "hop": 40}})["encoder"]["units"] == 2
    assert merged(base, {"encoder": {"kind": "frames"}}) == {"encoder": {"kind": "frames"}}
    assert merged(base, {"encoder": 5}) == {"encoder": 5}
    assert base == {"encoder": {"kind": "spectral", "hop": 80, "units": 2}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("based_on: absent.yaml", "absent.yaml: cannot be read"),
        ("based_on: [1]", "based_on is [1], expected the name of a YAML file beside it"),
        ("based_on: ''", "based_on is '', expected the name"),
        ("based_on: run.yaml", "is based on itself, by run.yaml; remove one based_on"),
    ],
)
def test_what_no_config_can_be_based_on(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path, text)
    assert path.name == "run.yaml"
    with pytest.raises(ConfigError) as caught:
        load_yaml(path)
    assert reason in str(caught.value)


def test_absent_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read \(No such file"):
        load_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_yaml(tmp_path / "binary.yaml")


def test_a_run_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^run\.yaml: kind: serie cannot be trained; did you mean series\?"):
        parse_run({"kind": "serie"}, source="run.yaml")


def test_the_recipes_parse() -> None:
    recipes = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
    assert recipes
    for path in recipes:
        assert isinstance(parse_run(load_yaml(path), source=str(path)), RunConfig)
