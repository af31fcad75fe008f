"""Codes chosen by their cost: many sequences side by side, and the prior's arithmetic in torch."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from arriving import Arriving
from tiny_priors import toy_prior
from tools import MODEL, synthetic, tiny_codec

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.codec.costs import CodeCosts
from vqaudio.codec.options import CodingOptions
from vqaudio.codec.rate_distortion import RateDistortionSearch, smallest
from vqaudio.intnet.intervals import bits_of

RATE = 16000
CONDITION = "speaker=ann"


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    sounds = [synthetic(5, RATE, seed=seed)[0] for seed in (0, 1)]
    path = toy_prior(tmp_path_factory.mktemp("priors") / "a.int8.safetensors", tiny_codec(), sounds)
    return vqaudio.load(MODEL, prior=path)


@pytest.fixture(scope="module")
def heard(codec: Codec) -> tuple[torch.Tensor, torch.Tensor]:
    """Features ``(7, D, 40)`` of seven sounds, and these ``(7, 1, samples)``."""
    sounds = [synthetic(40 * codec.hop_length / RATE, RATE, seed=seed) for seed in range(7)]
    wav = torch.from_numpy(np.stack(sounds))
    with torch.inference_mode():
        return codec.model.encoder(wav), wav


def test_costs_are_the_priors_own(codec):
    """At each frame, the logits in torch are those of the stepper, whatever is before; sequences stay apart."""
    random = np.random.default_rng(0)
    batch_size, n_streams = 3, 3
    stepper = codec.prior.begin(batch_size, n_streams, CONDITION)
    walk = CodeCosts(codec.prior, n_streams, condition=CONDITION).begin(batch_size)
    for _ in range(12):
        before = np.zeros((batch_size, 1, codec.prior.embeddings[0].shape[1]), np.float32)
        for stream in range(n_streams):
            logits = torch.from_numpy(stepper.logits(stream)).double() / 32.0
            torch.testing.assert_close(
                walk.log_probs(stream, torch.from_numpy(before))[:, 0].double(),
                logits.log_softmax(-1),
                rtol=0,
                atol=1e-4,
            )
            codes = random.integers(0, codec.streams[stream].alphabet, batch_size)
            stepper.accept(stream, codes)
            before[:, 0] += codec.prior.embeddings[stream][codes]
        stepper.advance()
        walk.advance(torch.from_numpy(before[:, 0]))


def test_side_by_side_as_one_by_one(codec, heard):
    features, sound = heard
    search = RateDistortionSearch(codec.model.bottleneck, codec.prior, n_streams=4, weight=0.1, condition=CONDITION)
    together, bits = search.encode_with_bits(features, sound, 40)
    for item in range(len(features)):
        alone, own = search.encode_with_bits(features[item, None], sound[item, None], 40)
        for one, other in zip(together, alone, strict=True):
            assert torch.equal(one[item], other[0])
        torch.testing.assert_close(bits[item], own[0])


def test_fewer_frames_are_the_first_ones(codec, heard):
    search = RateDistortionSearch(codec.model.bottleneck, codec.prior, n_streams=2, weight=0.1)
    for whole, part in zip(search(*heard, 40), search(*heard, 13), strict=True):
        assert torch.equal(whole[:, :13], part)


def test_bits_are_those_of_the_file(codec, heard):
    codes, bits = RateDistortionSearch(
        codec.model.bottleneck, codec.prior, n_streams=3, weight=0.1, condition=CONDITION
    ).encode_with_bits(*heard, 40)
    found = codec.prior.intervals([part.numpy() for part in codes], CONDITION)
    expected = sum(bits_of(frequencies) for _, frequencies in found)
    np.testing.assert_allclose(bits.numpy(), expected, rtol=0.01, atol=0.05)


@pytest.mark.parametrize("share", [0.85, 1.2])
def test_what_is_planned_is_spent(codec, heard, share):
    search = RateDistortionSearch(codec.model.bottleneck, codec.prior, n_streams=4, weight=0.1)
    _, before = search.encode_with_bits(*heard, 40)
    _, bits = search.encode_with_bits(*heard, 40, plan=share * before)
    assert float(bits.sum() / before.sum()) == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize(("rows", "width", "count"), [(1, 64, 16), (16, 64, 16), (3, 50, 4), (1, 4, 16)])
def test_the_smallest_are_found(rows, width, count):
    torch.manual_seed(0)
    values, base = torch.randn(5, rows, width), 3 * torch.randn(5, rows)
    every = (values + base[..., None]).flatten(1)
    found = smallest(values, base, count=count)
    assert torch.equal(every.gather(1, found), every.sort(1).values[:, : min(count, rows * width)])


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_as_from_a_pipe(codec, channels):
    """Chunks of what is there go side by side, those of what arrives one by one."""
    wav = synthetic(3.3, RATE, channels=channels)
    files = [io.BytesIO(), io.BytesIO()]
    for source, file in zip((ArraySource(wav, RATE), Arriving(wav, RATE)), files, strict=True):
        codec.write(source, file, options=CodingOptions(chunk_seconds=0.5, rdo=0.1))
    assert files[0].getvalue() == files[1].getvalue()
    assert not math.isclose(len(files[0].getvalue()), len(codec.compress(wav, RATE)), rel_tol=0.05)
