"""A model in use: its rates, and what cannot be asked of it."""

from __future__ import annotations

import pytest
from tiny_models import tiny_model
from tools import codec_of, synthetic, tiny_codec

from vqaudio.codec.codec import Codec
from vqaudio.errors import ModelError
from vqaudio.model.bottleneck import Identity

RATE = 16000


@pytest.fixture
def codec() -> Codec:
    return tiny_codec()


def test_rates(codec):
    assert [codec.kbps(n) for n in (1, 2, 3, 4)] == pytest.approx([0.3, 0.6, 0.9, 1.2])
    assert [codec.codebooks_for(kbps) for kbps in (0.3, 0.59, 0.6, 1.2, 100)] == [1, 1, 2, 4, 4]


@pytest.mark.parametrize("number", [0, -1, 5, 99])
def test_impossible_numbers_of_codebooks(codec, number):
    message = f"{number} codebooks asked for, but tiny has 1 to 4"
    for call in (
        lambda: codec.encode(synthetic(0.1, RATE), RATE, n_codebooks=number),
        lambda: codec.compress(synthetic(0.1, RATE), RATE, n_codebooks=number),
        lambda: codec.kbps(number),
    ):
        with pytest.raises(ModelError, match=message):
            call()


@pytest.mark.parametrize("kbps", [0.29, 0, -3, float("nan")])
def test_rates_below_the_lowest(codec, kbps):
    with pytest.raises(ModelError, match=r"below the lowest rate of tiny, 0\.3 kb/s"):
        codec.codebooks_for(kbps)


def test_a_plain_autoencoder_cannot_store():
    model = tiny_model()
    model.bottleneck = Identity()
    with pytest.raises(ModelError, match="no tokens"):
        codec_of(model).compress(synthetic(0.1, RATE), RATE)
