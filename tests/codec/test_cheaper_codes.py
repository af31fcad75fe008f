"""Codes that are chosen for what they cost, in whole files and one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from entropy_files import RATE, stored
from tools import synthetic

from vqaudio.codec.rate_distortion import RateDistortionSearch, code_cost_search, perceptual_weights
from vqaudio.errors import ModelError
from vqaudio.model.bottleneck import Identity


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
    bottleneck, prior, weight = toys.codec.model.bottleneck, toys.codec.prior, 0.3
    book = bottleneck.additive_codebooks()[0].double()
    features = torch.randn(1, book.shape[1], 30) * book.std()
    sound = torch.cos(torch.arange(30 * 16) * torch.pi / 16)[None, None] * torch.linspace(0, 1, 30).repeat_interleave(
        16
    )
    weights = perceptual_weights(sound, 30)[0].double()
    (codes,) = RateDistortionSearch(bottleneck, prior, n_streams=1, weight=weight, condition="speaker=ann")(
        features, sound, 30
    )
    (nearest,) = RateDistortionSearch(bottleneck, prior, n_streams=1, weight=0.0, condition="speaker=ann")(
        features, sound, 30
    )
    stepper = prior.begin(1, 1, "speaker=ann")
    for frame, vector in enumerate(features[0].T.double()):
        distances = (book - vector).square().sum(1)
        bits = -torch.from_numpy(stepper.logits(0)[0] / 32.0).double().log_softmax(0) / np.log(2)
        assert nearest[0, frame] == distances.argmin()
        chosen = codes[0, frame]
        costs = weights[frame] * distances + weight * bits
        assert costs[chosen] <= costs.min() + 1e-5
        stepper.accept(0, chosen[None].numpy())
        stepper.advance()
    assert (codes != nearest).any()


def test_what_is_quiet_beside_the_rest_is_less_audible():
    """Frames of 1, 1/10 and 1/10,000 of an amplitude, and what is silent: powers of energy, by hand."""
    levels = torch.tensor([1.0] * 5 + [0.1] * 5 + [1e-4] * 5 + [0.0] * 5)
    sound = levels.repeat_interleave(8)[None, None] * 0.5
    found = perceptual_weights(sound, 20)[0]
    share = 5 * (1 + 1e-4) / (5 * (1 + 1e-2))  # the loud frames' energy is the mean of all, weighted by themselves
    smoothed = [1.0, 0.01, 1e-4, 1e-4]
    expected = [min(1.0, energy / share) ** 0.15 for energy in smoothed]
    assert found[[2, 7, 12, 17]].tolist() == pytest.approx(expected, rel=0.02)
    assert torch.allclose(perceptual_weights(0.01 * sound, 20)[0], found, rtol=0.01)
    assert bool((perceptual_weights(0.0 * sound, 20) > 0.2).all())


def test_cheaper_codes_need_a_prior_and_sums_of_embeddings(toys):
    for mode in ("none", "context"):
        with pytest.raises(ModelError, match=f"the entropy mode is {mode}: use prior"):
            toys.codec.compress(toys.ann, RATE, entropy=mode, rdo=0.1)
    with pytest.raises(ModelError, match="only where latents are sums of codebooks' embeddings"):
        RateDistortionSearch(Identity(), toys.codec.prior, n_streams=1, weight=0.1)
    with pytest.raises(ModelError, match="have a cost in residual codebooks alone"):
        code_cost_search(Identity(), 1, code_cost=0.1)
