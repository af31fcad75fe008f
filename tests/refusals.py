"""What a config is refused for."""

from __future__ import annotations

from typing import Any

import pytest

from vqaudio.config.reading import parse
from vqaudio.config.training import TrainConfig
from vqaudio.errors import ConfigError


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
