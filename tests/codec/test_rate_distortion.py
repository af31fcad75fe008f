"""Codes chosen by their cost: many sequences side by side."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from arriving import Arriving
from entropy_files import Toys, stored
from tools import synthetic

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.codec.options import CodingOptions
from vqaudio.codec.rate_distortion import RateDistortionSearch, perceptual_weights
from vqaudio.errors import ModelError
from vqaudio.intnet.intervals import bits_of
from vqaudio.model.bottleneck import Identity

RATE = 16000
CONDITION = "speaker=ann"


@pytest.fixture(scope="module")
def codec(toys: Toys) -> Codec:
    return toys.codec


@pytest.fixture(scope="module")
def heard(codec: Codec) -> tuple[np.ndarray, np.ndarray]:
    """Features ``(7, D, 40)`` of seven sounds, and these ``(7, 1, samples)``."""
    sounds = [synthetic(40 * codec.hop_length / RATE, RATE, seed=seed) for seed in range(7)]
    wav = np.stack(sounds)
    return codec.networks.features(wav), wav


def test_side_by_side_as_one_by_one(codec, heard):
    features, sound = heard
    search = RateDistortionSearch(codec.networks.quantizer, codec.prior, n_streams=4, weight=0.1, condition=CONDITION)
    together, bits = search.encode_with_bits(features, sound, 40)
    for item in range(len(features)):
        alone, own = search.encode_with_bits(features[item, None], sound[item, None], 40)
        for one, other in zip(together, alone, strict=True):
            assert np.array_equal(one[item], other[0])
        np.testing.assert_allclose(bits[item], own[0], rtol=1.3e-6, atol=1e-5)


def test_fewer_frames_are_the_first_ones(codec, heard):
    search = RateDistortionSearch(codec.networks.quantizer, codec.prior, n_streams=2, weight=0.1)
    for whole, part in zip(search(*heard, 40), search(*heard, 13), strict=True):
        assert np.array_equal(whole[:, :13], part)


def test_bits_are_those_of_the_file(codec, heard):
    codes, bits = RateDistortionSearch(
        codec.networks.quantizer, codec.prior, n_streams=3, weight=0.1, condition=CONDITION
    ).encode_with_bits(*heard, 40)
    found = codec.prior.intervals(codes, CONDITION)
    expected = sum(bits_of(frequencies) for _, frequencies in found)
    np.testing.assert_allclose(bits, expected, rtol=0.01, atol=0.05)


@pytest.mark.parametrize("share", [0.85, 1.2])
def test_what_is_planned_is_spent(codec, heard, share):
    search = RateDistortionSearch(codec.networks.quantizer, codec.prior, n_streams=4, weight=0.1)
    _, before = search.encode_with_bits(*heard, 40)
    _, bits = search.encode_with_bits(*heard, 40, plan=share * before)
    assert float(bits.sum() / before.sum()) == pytest.approx(
        share, abs=0.09
    )  # the toy prior is another on other machines


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_as_from_a_pipe(codec, channels):
    """Chunks of what is there go side by side, those of what arrives one by one."""
    wav = synthetic(3.3, RATE, channels=channels)
    files = [io.BytesIO(), io.BytesIO()]
    for source, file in zip((ArraySource(wav, RATE), Arriving(wav, RATE)), files, strict=True):
        codec.write(source, file, options=CodingOptions(chunk_seconds=0.5, rdo=0.1))
    assert files[0].getvalue() == files[1].getvalue()
    assert not math.isclose(len(files[0].getvalue()), len(codec.compress(wav, RATE)), rel_tol=0.05)


def test_a_larger_lambda_gives_smaller_files(toys):
    wav = synthetic(1.96, RATE, seed=9)  # never heard before; two chunks with the margin
    as_it_is = stored(toys, wav, chunk_seconds=1.0)
    assert stored(toys, wav, chunk_seconds=1.0, rdo=0.0) == as_it_is
    sizes, sounds = [], []
    for weight in (0.001, 0.1, 10.0):
        data = stored(toys, wav, chunk_seconds=1.0, rdo=weight)
        sizes.append(len(data))
        sounds.append(toys.codec.decompress(data)[0])
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.55 * len(as_it_is)
    assert {sound.shape for sound in sounds} == {wav.shape}


def test_the_weight_is_of_bits_against_squared_distance(toys):
    """With one codebook, each code in turn minimises audible distance + weight x bits, given those before it."""
    quantizer, prior, weight = toys.codec.networks.quantizer, toys.codec.prior, 0.3
    book = quantizer.additive_codebooks()[0].astype(np.float64)
    features = (np.random.default_rng(0).standard_normal((1, book.shape[1], 30)) * book.std()).astype(np.float32)
    sound = np.cos(np.arange(30 * 16) * np.pi / 16) * np.linspace(0, 1, 30).repeat(16)
    sound = sound.astype(np.float32)[None, None]
    weights = perceptual_weights(sound, 30)[0].astype(np.float64)
    (codes,) = RateDistortionSearch(quantizer, prior, n_streams=1, weight=weight, condition="speaker=ann")(
        features, sound, 30
    )
    (nearest,) = RateDistortionSearch(quantizer, prior, n_streams=1, weight=0.0, condition="speaker=ann")(
        features, sound, 30
    )
    stepper = prior.begin(1, 1, condition="speaker=ann")
    for frame, vector in enumerate(features[0].T.astype(np.float64)):
        distances = np.square(book - vector).sum(1)
        logits = stepper.logits(0)[0] / 32.0
        bits = (np.log(np.exp(logits).sum()) - logits) / np.log(2)
        assert nearest[0, frame] == distances.argmin()
        chosen = codes[0, frame]
        costs = weights[frame] * distances + weight * bits
        assert costs[chosen] <= costs.min() + 1e-5
        stepper.accept(0, chosen[None])
        stepper.advance()
    assert (codes != nearest).any()


def test_what_is_quiet_beside_the_rest_is_less_audible():
    """Frames of 1, 1/10 and 1/10,000 of an amplitude, and what is silent: powers of energy, by hand."""
    levels = np.array([1.0] * 5 + [0.1] * 5 + [1e-4] * 5 + [0.0] * 5, np.float32)
    sound = levels.repeat(8)[None, None] * np.float32(0.5)
    found = perceptual_weights(sound, 20)[0]
    share = 5 * (1 + 1e-4) / (5 * (1 + 1e-2))  # the loud frames' energy is the mean of all, weighted by themselves
    smoothed = [1.0, 0.01, 1e-4, 1e-4]
    expected = [min(1.0, energy / share) ** 0.15 for energy in smoothed]
    assert found[[2, 7, 12, 17]].tolist() == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(perceptual_weights(np.float32(0.01) * sound, 20)[0], found, rtol=0.01)
    assert (perceptual_weights(0 * sound, 20) > 0.2).all()


def test_cheaper_codes_need_a_prior_and_sums_of_embeddings(toys):
    for mode in ("none", "context"):
        with pytest.raises(ModelError, match=f"the entropy mode is {mode}: use prior"):
            toys.codec.compress(toys.ann, RATE, entropy=mode, rdo=0.1)
    with pytest.raises(ModelError, match="only where latents are sums of codebooks' embeddings"):
        RateDistortionSearch(Identity(), toys.codec.prior, n_streams=1, weight=0.1)
