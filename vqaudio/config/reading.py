"""Configs from YAML and JSON: each problem is named by its path (``model.encoder.channels: ...``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from vqaudio.config.prior import PriorTrainConfig
from vqaudio.config.section import Section
from vqaudio.config.series import SeriesTrainConfig
from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError, choice

T = TypeVar("T", bound=Section)
RUNS: dict[str, type[RunConfig]] = {"codec": TrainConfig, "prior": PriorTrainConfig, "series": SeriesTrainConfig}
"""By the kind of what is trained."""


def parse(kind: type[T], data: Any, *, source: str = "config") -> T:
    """Check ``data`` (nested dictionaries) against a section.

    Raises:
        ConfigError: unknown key or bad value; each problem is named by its path.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problems = []
        for item in error.errors():
            path = ".".join(_keys(item["loc"], data)) or "(top level)"
            if item["type"] == "extra_forbidden":
                problems.append(f"{path}: unknown key, remove it or correct its name")
            elif item["type"] == "union_tag_not_found":
                problems.append(f"{path}: has no kind; add {path}.kind, which says what its other keys mean")
            elif item["type"] == "value_error":  # from one of our own checks, which say what they found
                problems.append(f"{path}: {item['ctx']['error']}")
            else:
                problems.append(f"{path}: {item['msg']} (found {_short(item['input'])})")
        raise ConfigError(f"{source}: " + "; ".join(problems)) from None


def parse_run(data: dict[str, Any], *, source: str = "config") -> RunConfig:
    """Check a run's config; its ``kind`` says what it trains: a codec by default, a prior, or a model of series.

    Raises:
        ConfigError: as :func:`parse`.
    """
    kind = str(data.get("kind", "codec"))
    if kind not in RUNS:
        raise ConfigError(f"{source}: kind: {kind} cannot be trained; {choice(kind, RUNS)}")
    return parse(RUNS[kind], data, source=source)


def _keys(location: tuple[int | str, ...], data: Any) -> list[str]:
    """The keys that lead to a problem, as they are written in the config: pydantic adds a section's kind to them."""
    keys = []
    for part in location:
        if isinstance(data, dict):
            if part not in data and part == data.get("kind"):
                continue
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            data = data[part]
        keys.append(str(part))
    return keys


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file: its settings on top of those of the file that its key ``based_on`` names, where there is one.

    That file is looked for beside this one, and may be based on a third.

    Raises:
        ConfigError: no such file, not YAML, not a mapping, or based on itself.
    """
    return _load(Path(path), [])


def _load(path: Path, before: list[Path]) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: holds {type(data).__name__}, expected `key: value` lines")
    if "based_on" not in data:
        return data
    base = data.pop("based_on")
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{path}: based_on is {_short(base)}, expected the name of a YAML file beside it")
    if path.resolve() in before:
        raise ConfigError(f"{path}: is based on itself, by {base}; remove one based_on")
    return merged(_load(path.parent / base, [*before, path.resolve()]), data)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested settings, changed key by key; a section of another ``kind`` takes the place of the whole."""
    found = dict(base)
    for key, value in changes.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
            value = merged(old, value)
        found[key] = value
    return found


def override(data: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Nested settings with ``a.b=value`` applied to them, one after another; values are YAML.

    Raises:
        ConfigError: no ``=``, a value that is not YAML, or a key below one that holds a value.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: expected KEY=VALUE, as in --set data.batch_size=4")
        node = data
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"--set {assignment}: {parent} is a value, not a section")
        try:
            node[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {assignment}: {text!r} is not a YAML value") from None
    return data


def dump_json(section: Section) -> str:
    """The section as one line of JSON with sorted keys: the form that checkpoints embed."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
