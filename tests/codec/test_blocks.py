"""Blocks of any size give the same codes and the same sound, at every boundary, and nothing is computed twice."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from coded_blocks import decode, encode
from tiny_models import tiny_model
from tools import codec_of, synthetic, tiny_codec, untied, whole
from torch import Tensor

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.blocks import encode_blocks
from vqaudio.codec.codec import Codec
from vqaudio.container import Stream
from vqaudio.model.bottleneck.base import Bottleneck, BottleneckOutput

RATE = 16000
SEAM = 1e-4
CODECS = {"golden": tiny_codec, "strided": lambda: codec_of(tiny_model("strided"))}


@pytest.fixture(params=sorted(CODECS))
def codec(request) -> Codec:
    return CODECS[request.param]()


def frames_in(codec: Codec, seconds: float) -> int:
    return round(seconds * codec.frame_rate)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("golden", 20), ("strided", 6), pytest.param("golden", 600, marks=pytest.mark.slow)],
)
def test_codes_and_sound_do_not_depend_on_the_block_size(name, seconds):
    codec, wav = CODECS[name](), synthetic(seconds, RATE)
    codes = encode(codec, wav, frames_in(codec, 5))
    sound = whole(decode(codec, codes, wav.shape[1], frames_in(codec, 5)))
    assert sound.std() > 0.005
    for size in (0.1, 0.5, 1, 2.3, 60):
        frames = frames_in(codec, size)
        assert not untied(codec, ArraySource(wav, RATE), codes, encode(codec, wav, frames)), f"blocks of {size} s"
        again = whole(decode(codec, codes, wav.shape[1], frames))
        np.testing.assert_allclose(again, sound, rtol=0, atol=SEAM, err_msg=f"blocks of {size} s")


def test_a_code_that_differs_without_a_tie_is_noticed():
    codec, wav = tiny_codec(), synthetic(1, RATE)
    codes = encode(codec, wav, 50)
    others = [stream.copy() for stream in codes]
    others[2][0, 7] = (others[2][0, 7] + 1) % 64
    assert untied(codec, ArraySource(wav, RATE), codes, others) == [(0, 7, 2)]


@pytest.mark.parametrize("part", ["encoder_context", "decoder_context"])
def test_less_context_than_the_networks_see_is_noticed(part, monkeypatch):
    codec, wav = tiny_codec(), synthetic(12, RATE)
    codes = encode(codec, wav, 250)
    sound = whole(decode(codec, codes, wav.shape[1], 250))
    monkeypatch.setattr(type(codec.networks), part, getattr(codec.networks, part) - 4)
    assert whole(decode(codec, codes, wav.shape[1], 25)).shape == sound.shape
    if part == "encoder_context":
        assert untied(codec, ArraySource(wav, RATE), codes, encode(codec, wav, 25))
    else:
        assert np.abs(whole(decode(codec, codes, wav.shape[1], 25)) - sound).max() > 10 * SEAM


def boundary_lengths(block: int, hop: int) -> list[int]:
    beside = (-hop - 1, -hop, -hop + 1, -2, -1, 0, 1, 2, hop - 1, hop, hop + 1)
    return [blocks * block + more for blocks in (1, 2, 3) for more in beside]


def test_lengths_around_block_edges(codec):
    frames, hop = frames_in(codec, 0.3), codec.hop_length
    for n_samples in boundary_lengths(frames * hop, hop):
        wav = synthetic(1, RATE)[:, :n_samples]
        codes, whole_codes = encode(codec, wav, frames), encode(codec, wav, frames_in(codec, 1))
        assert {stream.shape for stream in codes} == {(1, -(-n_samples // hop))}
        assert not untied(codec, ArraySource(wav, RATE), codes, whole_codes), n_samples
        sound = whole(decode(codec, codes, n_samples, frames))
        assert sound.shape == (1, n_samples)
        expected = whole(decode(codec, codes, n_samples, frames_in(codec, 1)))
        np.testing.assert_allclose(sound, expected, rtol=0, atol=SEAM, err_msg=str(n_samples))


def test_equal_channels_are_computed_once(monkeypatch):
    codec, wav = tiny_codec(), synthetic(1, RATE)
    calls: Counter[str] = Counter()
    for name in ("encode", "decode"):
        method = getattr(codec.networks, name)
        monkeypatch.setattr(
            codec.networks, name, lambda *given, n=name, m=method, **more: calls.update([n]) or m(*given, **more)
        )
    codes = encode(codec, np.concatenate([wav, wav, -wav, wav]), 50)
    decode(codec, codes, wav.shape[1], 50).read(0, RATE)
    assert calls == {"encode": 2, "decode": 2}
    np.testing.assert_array_equal(codes[0][0], codes[0][3])


def test_progress_adds_up_to_the_sound():
    codec, done = tiny_codec(), []
    wav = synthetic(2.3456, RATE)
    list(encode_blocks(codec.networks, ArraySource(wav, RATE), block_frames=50, n_streams=1, done=done.append))
    assert len(done) == 3
    assert sum(done) == pytest.approx(wav.shape[1] / RATE)


class Slow(Bottleneck):
    """Two streams, the second with one code for every two frames: signs of features, and of their means."""

    streams = (Stream(16, 1), Stream(8, 2))

    def forward(self, features: Tensor) -> BottleneckOutput:
        raise NotImplementedError

    def encode(self, features: Tensor, n_streams: int | None = None) -> list[Tensor]:
        pairs = features[:, 4:7].unflatten(2, (-1, 2)).mean(3)
        return [_bits(features[:, :4]), _bits(pairs)]

    def decode(self, tokens: list[Tensor]) -> Tensor:
        fast = torch.stack([tokens[0] >> bit & 1 for bit in range(4)], 1)
        slow = torch.stack([tokens[1] >> bit & 1 for bit in range(3)], 1).repeat_interleave(2, dim=2)
        return torch.cat([fast, slow, torch.zeros_like(fast[:, :1])], 1) * 2.0 - 1.0


def _bits(values: Tensor) -> Tensor:
    weights = 2 ** torch.arange(values.shape[1])
    return ((values > 0).long() * weights[:, None]).sum(1)


@pytest.mark.parametrize("n_samples", [1, 320, 321, 16000, 20_001])
def test_streams_of_different_strides(n_samples):
    model = tiny_model("spectral")
    model.bottleneck = Slow()
    codec = codec_of(model, silence=[0, 0])
    wav = synthetic(2, RATE, channels=2)[:, :n_samples]
    codes = codec.encode(wav, RATE, with_margin=False)
    n_frames = -(-n_samples // codec.hop_length)
    assert [stream.shape for stream in codes.streams] == [(2, n_frames), (2, -(-n_frames // 2))]
    expected = codec.decode(codes)
    data = codec.compress(wav, RATE)
    np.testing.assert_array_equal(codec.decompress(data)[0], codec.decode(codec.encode(wav, RATE)))
    assert expected.shape == wav.shape
    found = encode_blocks(codec.networks, ArraySource(wav, RATE), block_frames=6, n_streams=2)
    small = [np.concatenate(parts, 1) for parts in zip(*(block.codes for block in found), strict=True)]
    assert all(map(np.array_equal, small, codes.streams))
