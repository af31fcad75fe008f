"""Configs from plain data and to JSON: each problem is named by its path (``model.encoder.channels: ...``)."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from vqaudio.config.section import Section
from vqaudio.errors import ConfigError

T = TypeVar("T", bound=Section)


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
                problems.append(f"{path}: {item['msg']} (found {short(item['input'])})")
        raise ConfigError(f"{source}: " + "; ".join(problems)) from None


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


def short(value: Any) -> str:
    """A value as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def dump_json(section: Section) -> str:
    """The section as one line of JSON with sorted keys: the form that checkpoints embed."""
    return json.dumps(section.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
