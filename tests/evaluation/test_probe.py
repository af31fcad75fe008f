"""What a linear classifier tells from codes, where only some of it is there to be told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import HOP, RATE, sound, spectral_config

import vqaudio
from vqaudio.evaluation.probe import SEGMENTS, code_features, mel_features, pooled, predicted_right
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

RANDOM = np.random.default_rng(0)


@pytest.fixture
def codec(tmp_path):
    torch.manual_seed(0)
    checkpoint.save(Autoencoder(spectral_config()), tmp_path / "tiny.safetensors")
    return vqaudio.load(tmp_path / "tiny.safetensors")


def test_stretches_are_averaged_in_their_order():
    values = np.repeat(np.arange(16.0).reshape(2, 8), 3, axis=1)
    assert pooled(values).tolist() == list(range(16))
    assert pooled(np.array([[1.0, 3.0]])).tolist() == [1.0] * 4 + [3.0] * 4  # fewer frames than stretches
    assert pooled(np.ones((3, 1))).shape == (3 * SEGMENTS,)


def test_features_of_codes_are_those_of_the_codebooks_embeddings(codec):
    sounds = [sound(length, seed=length)[0] for length in (8 * HOP, 20 * HOP, 20 * HOP + 5)]
    found = code_features(codec, sounds)
    assert found.shape == (3, 8 * SEGMENTS)
    for one, features in zip(sounds, found, strict=True):
        codes = codec.encode(one, RATE, with_margin=False).streams
        books = codec.networks.quantizer.additive_codebooks()
        vectors = sum(book[stream[0]] for book, stream in zip(books, codes, strict=True))
        np.testing.assert_allclose(features, pooled(vectors.T), atol=1e-5)


def test_mel_features_have_all_bands():
    assert mel_features([sound(RATE // 10)[0], sound(RATE)[0]]).shape == (2, 80 * SEGMENTS)


def test_a_probe_tells_what_is_there_for_groups_that_it_did_not_learn_from():
    labels = [str(index % 3) for index in range(90)]
    groups = [str(index // 15) for index in range(90)]
    features = RANDOM.standard_normal((90, 10))
    assert np.mean(predicted_right(features, labels, groups=groups)) < 0.6
    features[:, :3] += 5 * np.eye(3)[[int(label) for label in labels]]
    assert np.mean(predicted_right(features, labels, groups=groups)) > 0.95
    takes = [str(index // 3) for index in range(90)]  # more than ten groups: in folds
    assert np.mean(predicted_right(features, labels, groups=takes)) > 0.95


def test_what_a_group_alone_shows_is_not_told():
    groups = [str(index % 6) for index in range(120)]
    labels = [str(int(RANDOM.integers(2))) for _ in groups]
    own = RANDOM.standard_normal((6, 20))
    features = own[[int(group) for group in groups]] + 0.01 * RANDOM.standard_normal((120, 20))
    assert np.mean(predicted_right(features, groups, groups=[str(index // 6) for index in range(120)])) == 1.0
    assert np.mean(predicted_right(features, labels, groups=groups)) < 0.7
