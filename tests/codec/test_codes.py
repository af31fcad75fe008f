"""Sound as integers: arrays that are no sound, and codes that are none."""

from __future__ import annotations

import numpy as np
import pytest
from tools import synthetic, tiny_codec

from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.errors import AudioError, ModelError

RATE = 16000


@pytest.fixture
def codec() -> Codec:
    return tiny_codec()


def test_one_dimension_is_one_channel(codec):
    wav = synthetic(0.1, RATE)
    assert codec.compress(wav[0], RATE) == codec.compress(wav, RATE)


def test_silence_is_stored_as_its_codes(codec):
    codes = codec.encode(np.zeros((1, 32000), np.float32), RATE)
    assert [set(stream.flat) for stream in codes.streams] == [{code} for code in codec.silence]


@pytest.mark.parametrize(
    "wav",
    [
        np.zeros((1, 100), np.int16),
        np.full((1, 100), np.nan),
        np.zeros((1, 0)),
        np.zeros((1, 2, 3)),
        np.zeros((500, 2)),
    ],
    ids=["integers", "NaN", "empty", "three axes", "transposed"],
)
def test_arrays_that_are_no_sound(codec, wav):
    for call in (codec.encode, codec.compress):
        with pytest.raises(AudioError):
            call(wav, RATE)


def test_codes_that_are_no_sound(codec):
    codes = codec.encode(synthetic(0.1, RATE), RATE, with_margin=False)
    first = codes.streams[0]
    for streams, n_samples, message in (
        ([], 1600, "0 codebooks asked for"),
        ([first] * 5, 1600, "5 codebooks asked for"),
        ([first + 64], 1600, "do not fit a codebook of 64"),
        ([first - 64], 1600, "do not fit a codebook of 64"),
        ([first], 1601, r"shape \(1, 5\) found, expected \(1, 6\)"),
        ([first, first[:, :4]], 1600, r"shape \(1, 4\) found, expected \(1, 5\)"),
        ([first, np.repeat(first, 2, 0)], 1600, r"shape \(2, 5\) found"),
    ):
        with pytest.raises(ModelError, match=message):
            codec.decode(Codes(streams, RATE, n_samples))
