"""Configs of runs, which train something: YAML files, one on top of another, and changes of single keys."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from vqaudio.config.prior import PriorTrainConfig
from vqaudio.config.reading import parse, short
from vqaudio.config.series import SeriesTrainConfig
from vqaudio.config.training import RunConfig, TrainConfig
from vqaudio.errors import ConfigError, choice

RUNS: dict[str, type[RunConfig]] = {"codec": TrainConfig, "prior": PriorTrainConfig, "series": SeriesTrainConfig}
"""By the kind of what is trained."""


def parse_run(data: dict[str, Any], *, source: str = "config") -> RunConfig:
    """Check a run's config; its ``kind`` says what it trains: a codec by default, a prior, or a model of series.

    Raises:
        ConfigError: as :func:`parse`.
    """
    kind = str(data.get("kind", "codec"))
    if kind not in RUNS:
        raise ConfigError(f"{source}: kind: {kind} cannot be trained; {choice(kind, RUNS)}")
    return parse(RUNS[kind], data, source=source)


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
        raise ConfigError(f"{path}: based_on is {short(base)}, expected the name of a YAML file beside it")
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
