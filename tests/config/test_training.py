"""Settings of training runs."""

from __future__ import annotations

import pytest
from refusals import refusal

from vqaudio.config.reading import parse
from vqaudio.config.training import TrainConfig


def test_only_weights_that_come_from_somewhere_can_be_frozen() -> None:
    assert "decoder cannot be frozen without init_from" in refusal({"frozen": ["decoder"]})
    assert "encoder and bottleneck cannot be frozen without init_from" in refusal({"frozen": ["encoder", "bottleneck"]})
    assert "'encoder', 'bottleneck' or 'decoder'" in refusal({"frozen": ["head"], "init_from": "x"})


def test_more_discriminators_than_there_are_cannot_be_drawn() -> None:
    few = {"windows": [64], "periods": [2], "discriminators_per_step": 3}
    reason = "discriminators_per_step is 3, but there are 2 discriminators: ask for fewer"
    assert refusal({"adversarial": few}) == f"adversarial: {reason}"
    assert (
        parse(TrainConfig, {"adversarial": few | {"discriminators_per_step": 2}}).adversarial.discriminators_per_step
        == 2
    )


@pytest.mark.parametrize(
    ("name", "pair"), [("speed_range", [1.2, 0.8]), ("level_db", [-10, -30]), ("noise_db", [20, 10])]
)
def test_ranges_ascend(name: str, pair: list[float]) -> None:
    assert refusal({"data": {name: pair}}).startswith(f"data: {name} is ({pair[0]:.1f}, {pair[1]:.1f})")
