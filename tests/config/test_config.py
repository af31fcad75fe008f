"""Configs: what is accepted, and that every refusal names the key."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_models import TINY_CONFIGS

from vqaudio.config.bottleneck import IdentityConfig, ResidualConfig, VQConfig
from vqaudio.config.model import ModelConfig, SpectralEncoderConfig, StridedDecoderConfig, StridedEncoderConfig
from vqaudio.config.reading import dump_json, load_yaml, merged, override, parse, parse_run
from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError, VqaudioError


def nested(path: str, value: Any) -> dict[str, Any]:
    *parents, last = path.split(".")
    data = {last: value}
    for parent in reversed(parents):
        data = {parent: data}
    return data


def refusal(data: Any, kind: type = TrainConfig) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(kind, data, source="run.yaml")
    message = str(caught.value)
    assert message.startswith("run.yaml: ")
    assert "\n" not in message
    assert "Value error" not in message
    return message.removeprefix("run.yaml: ")


# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("path", ["stepps", "data.folders", "model.hop", "model.encoder.channel", "loss.mell"])
def test_unknown_keys_are_named_by_their_path(path: str) -> None:
    data = nested(path, 1)
    if "encoder" in path:
        data["model"]["encoder"]["kind"] = "spectral"
    assert refusal(data) == f"{path}: unknown key, remove it or correct its name"


def test_only_weights_that_come_from_somewhere_can_be_frozen() -> None:
    assert "decoder cannot be frozen without init_from" in refusal({"frozen": ["decoder"]})
    assert "encoder and bottleneck cannot be frozen without init_from" in refusal({"frozen": ["encoder", "bottleneck"]})
    assert "'encoder', 'bottleneck' or 'decoder'" in refusal({"frozen": ["head"], "init_from": "x"})


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


def test_strides_that_do_not_agree() -> None:
    strided = {"kind": "strided", "strides": [5, 4, 4]}
    assert refusal({"model": {"decoder": strided}}) == (
        "model: decoder.strides multiply to 80 but the encoder's hop_length is 320: make them equal"
    )
    for window in (320, 1000):
        assert refusal({"decoder": {"kind": "spectral", "window": window}}, ModelConfig) == (
            f"(top level): decoder.window is {window} but must be a multiple (2 or more) of the hop_length 320"
        )


def test_windows_that_would_skip_samples() -> None:
    assert refusal({"model": {"encoder": {"kind": "spectral", "window": 100}}}) == (
        "model.encoder: window is 100, below the hop 160: samples would be skipped"
    )


@pytest.mark.parametrize(
    ("look_ahead", "words"),
    [
        ([2, 1, 0], "look_ahead has 3 numbers, but there are 6 units: give each one"),
        ([], "look_ahead has 0 numbers, but there are 6 units"),
        ([7, 0, 0, 0, 0, 0], "look_ahead is (7, 0, 0, 0, 0, 0), expected less than the kernel_size 7"),
        ([0, -1, 0, 0, 0, 0], "found -1"),
    ],
)
def test_each_unit_looks_ahead_within_its_kernel(look_ahead: list[int], words: str) -> None:
    message = refusal({"model": {"encoder": {"kind": "spectral", "look_ahead": look_ahead}}})
    assert message.startswith("model.encoder")
    assert words in message


def test_a_look_ahead_survives_being_written() -> None:
    config = SpectralEncoderConfig(look_ahead=(2, 1, 0, 0, 0, 6))
    assert parse(SpectralEncoderConfig, json.loads(dump_json(config))) == config


def test_more_discriminators_than_there_are_cannot_be_drawn() -> None:
    few = {"windows": [64], "periods": [2], "discriminators_per_step": 3}
    reason = "discriminators_per_step is 3, but there are 2 discriminators: ask for fewer"
    assert refusal({"adversarial": few}) == f"adversarial: {reason}"
    assert (
        parse(TrainConfig, {"adversarial": few | {"discriminators_per_step": 2}}).adversarial.discriminators_per_step
        == 2
    )


def test_stop_codes_need_codebooks_that_no_gradient_moves() -> None:
    stopping = {"kind": "residual", "stop_codes": True, "update": "loss"}
    assert refusal({"model": {"bottleneck": stopping}}).startswith("model.bottleneck: stop_codes need update: ema")
    parse(TrainConfig, {"model": {"bottleneck": stopping | {"update": "ema"}}})


@pytest.mark.parametrize(
    ("name", "pair"), [("speed_range", [1.2, 0.8]), ("level_db", [-10, -30]), ("noise_db", [20, 10])]
)
def test_ranges_ascend(name: str, pair: list[float]) -> None:
    assert refusal({"data": {name: pair}}).startswith(f"data: {name} is ({pair[0]:.1f}, {pair[1]:.1f})")


def test_a_section_cannot_change_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        VQConfig().codebook_size = 3  # type: ignore[misc]
    assert issubclass(ConfigError, VqaudioError)


# ------------------------------------------------------------------------------------------------------------ values


def test_kinds_choose_the_section() -> None:
    data = {
        "encoder": {"kind": "strided", "strides": [5, 3]},
        "decoder": {"kind": "strided", "strides": [15]},
        "bottleneck": {"kind": "vq", "codebook_size": 7},
    }
    config = parse(ModelConfig, data)
    assert config.encoder == StridedEncoderConfig(strides=(5, 3))
    assert config.decoder == StridedDecoderConfig(strides=(15,))
    assert config.bottleneck == VQConfig(codebook_size=7)
    assert type(config.bottleneck) is VQConfig
    assert type(parse(ModelConfig, {"bottleneck": {"kind": "residual"}}).bottleneck) is ResidualConfig
    assert type(parse(ModelConfig, {"bottleneck": {"kind": "identity"}}).bottleneck) is IdentityConfig


def test_frame_rates() -> None:
    assert SpectralEncoderConfig().hop_length == 320
    assert StridedEncoderConfig().hop_length == 320
    assert StridedEncoderConfig(strides=()).hop_length == 1
    assert (ModelConfig().hop_length, ModelConfig().frame_rate) == (320, 50.0)


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


def test_the_recipes_parse() -> None:
    recipes = sorted((Path(__file__).parents[2] / "recipes").rglob("*.yaml"))
    assert recipes
    for path in recipes:
        assert isinstance(parse_run(load_yaml(path), source=str(path)), RunConfig)
