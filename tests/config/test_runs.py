"""Configs of runs: YAML files, what is changed on top of them, and what none may hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusals import refusal

from vqaudio.config.bottleneck import VQConfig
from vqaudio.config.reading import parse
from vqaudio.config.runs import load_yaml, merged, override, parse_run
from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError


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
