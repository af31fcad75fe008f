"""Blocks of codes back to sound: lost ones, windows, and the work that is done for them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from coded_blocks import decode, encode
from tiny_models import tiny_model
from tools import codec_of, synthetic, tiny_codec, whole

from vqaudio.codec.codec import Codec

RATE = 16000
CODECS = {"golden": tiny_codec, "strided": lambda: codec_of(tiny_model("strided"))}


@pytest.fixture(params=sorted(CODECS))
def codec(request) -> Codec:
    return CODECS[request.param]()


def test_sound_is_zero_outside_and_the_same_in_every_window():
    codec, wav = tiny_codec(), synthetic(2.5, RATE, channels=2)
    codes = encode(codec, wav, 50)
    sound = whole(decode(codec, codes, wav.shape[1], 50))
    padded = np.pad(sound, ((0, 0), (5000, 5000)))
    for start, stop in ((-5000, 45000), (15_999, 16_001), (100, 100), (39_999, 41_000), (40_500, 41_000), (-700, -3)):
        window = decode(codec, codes, wav.shape[1], 50).read(start, stop)
        np.testing.assert_array_equal(window, padded[:, start + 5000 : stop + 5000])


def test_a_lost_block_is_silent_and_only_its_surroundings_change():
    codec, wav = tiny_codec(), synthetic(5, RATE)
    codes = encode(codec, wav, 50)
    intact = whole(decode(codec, codes, wav.shape[1], 50))
    damaged = whole(decode(codec, codes, wav.shape[1], 50, lost=frozenset({2})))
    assert not damaged[:, 2 * RATE : 3 * RATE].any()
    reach = codec.networks.decoder_context * codec.hop_length
    before, after = slice(None, 2 * RATE - reach), slice(3 * RATE + reach, None)
    np.testing.assert_array_equal(damaged[:, before], intact[:, before])
    np.testing.assert_array_equal(damaged[:, after], intact[:, after])
    assert np.abs(damaged - intact)[:, 2 * RATE - reach : 2 * RATE].max() > 1e-3


def test_each_block_reads_itself_and_its_neighbours():
    codec, wav = tiny_codec(), synthetic(6, RATE)
    sound = decode(codec, encode(codec, wav, 50), wav.shape[1], 50)
    asked: Counter[int] = Counter()
    block_of = sound.codes.block_of
    sound.codes = replace(sound.codes, block_of=lambda index: asked.update([index]) or block_of(index))
    sound.read(2 * RATE + 10, 3 * RATE - 10)
    assert set(asked) == {1, 2, 3}
    assert max(asked.values()) <= 2
    before = asked.copy()
    sound.read(2 * RATE, 3 * RATE)
    assert asked == before  # what was decoded last is kept
