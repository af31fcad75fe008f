"""Settings of bottlenecks."""

from __future__ import annotations

from refusals import refusal

from vqaudio.config.reading import parse
from vqaudio.config.training import TrainConfig


def test_stop_codes_need_codebooks_that_no_gradient_moves() -> None:
    stopping = {"kind": "residual", "stop_codes": True, "update": "loss"}
    assert refusal({"model": {"bottleneck": stopping}}).startswith("model.bottleneck: stop_codes need update: ema")
    parse(TrainConfig, {"model": {"bottleneck": stopping | {"update": "ema"}}})
