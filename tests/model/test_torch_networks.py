"""Networks over a torch module give what the module gives, as arrays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import HOP, randomised, tiny_model, waveforms

from vqaudio.inference.spans import Span
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.torch_networks import TorchNetworks

FRAMES = 40
CONTEXT = Span(3, 5)


@pytest.fixture
def networks(model: Autoencoder) -> TorchNetworks:
    return TorchNetworks(model)


def test_features_codes_and_sound_are_the_modules(networks, model):
    sound = waveforms(2, FRAMES * HOP)
    with torch.inference_mode():
        features, tokens = model.encoder(sound), model.encode(sound)
        made = model.decode(tokens)
    found = networks.features(sound.numpy())
    codes = networks.encode(found)
    assert (found.dtype, {part.dtype for part in codes}) == (np.float32, {np.dtype(np.int64)})
    np.testing.assert_array_equal(found, features.numpy())
    for part, expected in zip(codes, tokens, strict=True):
        np.testing.assert_array_equal(part, expected.numpy())
    np.testing.assert_allclose(networks.decode([part.astype(np.int32) for part in codes]), made.numpy(), atol=1e-6)
    np.testing.assert_array_equal(networks.quantizer.decode(codes), model.bottleneck.decode(tokens).numpy())


def test_context_is_seen_and_left_out(networks):
    sound = waveforms(1, FRAMES * HOP).numpy()
    features = networks.features(sound)
    inside = slice(CONTEXT.left, FRAMES - CONTEXT.right)
    np.testing.assert_array_equal(networks.features(sound, context=CONTEXT), features[..., inside])
    codes = networks.encode(features)
    made = networks.decode(codes, context=CONTEXT)
    expected = networks.decode(codes)[..., inside.start * HOP : inside.stop * HOP]
    np.testing.assert_array_equal(made, expected)


def test_the_quantizer_is_the_bottleneck(networks, model):
    quantizer, bottleneck = networks.quantizer, model.bottleneck
    features = networks.features(waveforms(1, FRAMES * HOP).numpy())
    found = quantizer.encode(features, 2, code_cost=0.5)
    expected = bottleneck.encode_with_cost(torch.from_numpy(features), 2, code_cost=0.5)
    assert len(found) == 2
    for part, tokens in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, tokens.numpy())
    for book, embeddings in zip(quantizer.additive_codebooks(), bottleneck.additive_codebooks(), strict=True):
        np.testing.assert_array_equal(book, embeddings.numpy())
    assert [part.tolist() for part in quantizer.stop_codes()] == [part.tolist() for part in bottleneck.stop_codes()]


def test_context_is_what_the_module_sees(networks, model):
    assert networks.encoder_context == model.encoder_context
    assert networks.decoder_context == model.decoder_context


def test_speakers_sound_different():
    config = tiny_model().config.model_copy(update={"speakers": ("ann", "bob")})
    model = randomised(Autoencoder(config)).eval()
    networks = TorchNetworks(model)
    codes = [np.arange(12)[None]] * 3
    nobody, ann = networks.decode(codes), networks.decode(codes, 1)
    with torch.inference_mode():
        expected = model.decode([torch.arange(12)[None]] * 3, torch.tensor([1])).numpy()
    np.testing.assert_array_equal(ann, expected)
    assert np.abs(nobody - ann).max() > 1e-3
