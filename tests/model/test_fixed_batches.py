"""Batches of fixed shapes: codes of each alone, on a device whose sums depend on shapes and on places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import tiny_model
from tools import codec_of, synthetic
from torch import Tensor, nn

from vqaudio.codec.codec import Codec
from vqaudio.codec.options import Variant
from vqaudio.config.bottleneck import FSQConfig, HierarchicalConfig
from vqaudio.model import fixed_batches
from vqaudio.model.bottleneck import FSQ, HierarchicalVQ
from vqaudio.model.fixed_batches import Shape, shape_for
from vqaudio.model.torch_networks import TorchNetworks

RATE = 16000


class RoundedByShape(nn.Module):
    """An encoder whose last bits depend on the shape of what it is given, as on a GPU, and, if asked, on the place."""

    def __init__(self, encoder: nn.Module, *, by_place: bool):
        super().__init__()
        self.encoder, self.by_place, self.shapes = encoder, by_place, list[tuple[int, ...]]()
        self.weight = nn.Parameter(torch.eye(8))

    def forward(self, waveform: Tensor) -> Tensor:
        self.shapes.append(tuple(waveform.shape))
        features = self.encoder(waveform)
        rows = torch.arange(len(waveform))[:, None, None] * self.by_place
        frames = torch.arange(features.shape[2])
        error = 2e-2 * torch.sin(1e4 * features + sum(waveform.shape) + rows + frames)
        return nn.functional.linear((features + error).transpose(1, 2), self.weight).transpose(1, 2)


class AsOnGPU(TorchNetworks):
    """In batches, on a CPU."""

    side_by_side = True


def codec_with(by_place: bool) -> tuple[Codec, RoundedByShape]:
    model = tiny_model()
    codec = codec_of(model)
    encoder = RoundedByShape(model.encoder, by_place=by_place)
    model.encoder = encoder
    codec.networks = AsOnGPU(model)
    return codec, encoder


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixed_batches, "FRAMES", 900)


def made() -> list[np.ndarray]:
    return [synthetic(seconds, RATE, seed=seed) for seed, seconds in enumerate((0.5, 0.001, 0.2, 0.21, 0.2))]


@pytest.mark.parametrize("by_place", [False, True], ids=["shapes", "places"])
def test_each_sound_has_the_codes_that_it_has_alone(by_place):
    codec, encoder = codec_with(by_place)
    sounds = made()
    alone = [codec.encode(wav, RATE) for wav in sounds]
    encoder.shapes.clear()
    together = codec.encode_batch(sounds, RATE)
    for one, other in zip(alone, together, strict=True):
        assert all(map(np.array_equal, one.streams, other.streams))
        assert one.levels == other.levels
    assert any(shape[0] > 1 for shape in encoder.shapes) != by_place  # what is uneven was found so before


def test_codes_would_differ_without_fixed_shapes():
    codec, _ = codec_with(by_place=False)
    codec.networks = TorchNetworks(codec.networks.model)
    wav = synthetic(0.3, RATE)[:, None]
    (alone,), (beside, _) = (
        codec.networks.encode(codec.networks.features(np.repeat(wav[..., :4800], count, 0)))[0] for count in (1, 2)
    )
    assert (alone != beside).any()


def test_several_choices_of_each_row_are_those_of_each_alone():
    codec, _ = codec_with(by_place=False)
    sounds = made()[:4]
    variants = [
        [Variant(3), Variant(2, 0.01)],
        [Variant(2, 0.5), Variant(2), Variant(1)],
        [],
        [Variant(2, 0.02), Variant(2, 0.3)],
    ]
    found = codec.encode_variants(sounds, RATE, variants=variants)
    for wav, wanted, several in zip(sounds, variants, found, strict=True):
        for variant, codes in zip(wanted, several, strict=True):
            alone = codec.encode(wav, RATE, n_codebooks=variant.n_codebooks, code_cost=variant.code_cost)
            assert all(map(np.array_equal, alone.streams, codes.streams))


def test_little_is_held_where_little_may_be():
    codec, encoder = codec_with(by_place=False)
    wav = synthetic(0.2, RATE)
    expected = codec.encode(wav, RATE)
    encoder.shapes.clear()
    found = codec.encode_batch([wav] * 7, RATE, ahead=0.5)
    assert len(encoder.shapes) >= 3
    assert all(np.array_equal(codes.streams[0], expected.streams[0]) for codes in found)


@pytest.mark.parametrize(
    "bottleneck",
    [None, HierarchicalVQ(HierarchicalConfig(codebook_size=8, levels=3), 8), FSQ(FSQConfig(levels=(5, 3)), 8)],
    ids=["residual", "hierarchical", "fsq"],
)
def test_the_codec_without_batches_gives_the_same_but_for_rounding(bottleneck):
    model = tiny_model()
    wav = synthetic(0.5, RATE)
    if bottleneck is not None:
        model.bottleneck = bottleneck.eval()
        with torch.no_grad():
            bottleneck.initialise(model.encoder(torch.from_numpy(wav)[None]))
    codec = codec_of(model)
    alone = codec.encode(wav, RATE)
    codec.networks = AsOnGPU(model)
    found, short = codec.encode_batch([wav, wav[:, :3001]], RATE)
    assert all(map(np.array_equal, short.streams, codec.encode(wav[:, :3001], RATE).streams))
    for ours, theirs in zip(found.streams, alone.streams, strict=True):
        assert len(np.unique(ours)) > 1
        assert np.mean(ours == theirs) > 0.98


@pytest.mark.parametrize("n_frames", [1, 40, 41, 56, 57, 310, 2560, 2561, 9000])
def test_shapes_hold_windows_and_have_few_sizes(n_frames):
    shape = shape_for(n_frames, multiple=4)
    assert shape.frames >= n_frames
    assert shape.frames % 4 == 0
    assert shape.rows * shape.frames <= 900 or shape.rows == 1
    assert n_frames < 40 or shape.frames <= 1.45 * n_frames + 4
    assert len({shape_for(number) for number in range(1, 1000)}) < 12
    assert shape_for(310) == Shape(2, 320)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_gives_each_sound_the_codes_that_it_has_alone():
    codec, sounds = codec_of(tiny_model().to("cuda")), made()
    found = codec.encode_batch(sounds, RATE)
    for wav, codes in zip(sounds, found, strict=True):
        assert all(map(np.array_equal, codec.encode(wav, RATE).streams, codes.streams))
