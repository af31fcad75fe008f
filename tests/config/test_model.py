"""Settings of models: what fits together."""

from __future__ import annotations

import json

import pytest
from refusals import refusal

from vqaudio.config.bottleneck import IdentityConfig, ResidualConfig, VQConfig
from vqaudio.config.model import ModelConfig, SpectralEncoderConfig, StridedDecoderConfig, StridedEncoderConfig
from vqaudio.config.reading import dump_json, parse


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
