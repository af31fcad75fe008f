"""An encoder is pruned, and makes nearly the same features."""

from __future__ import annotations

import copy

import pytest
import soundfile
import torch
from tiny_models import HOP, RATE, sound, tiny_model

from recipes.speech16k import lighter
from vqaudio.model import checkpoint
from vqaudio.model.layers import ResidualUnit


def test_a_lighter_encoder_makes_nearly_the_same_features(tmp_path):
    start, out, sounds = tmp_path / "start.safetensors", tmp_path / "lighter.safetensors", tmp_path / "sounds"
    model = tiny_model()
    checkpoint.save(model, start)
    sounds.mkdir()
    for index in range(3):
        soundfile.write(sounds / f"{index}.wav", sound(2 * RATE, seed=index)[0], RATE)
    sizes = ["--stem-expansion", "1", "--expansion", "1"]
    assert lighter.main([str(sounds), str(start), str(out), *sizes]) == 0
    made, before = checkpoint.load(out), checkpoint.load(start)
    assert made.fingerprint == before.fingerprint
    units = [[layer for layer in one.encoder.layers if isinstance(layer, ResidualUnit)] for one in (made.model, model)]
    assert all(2 * few.expand.out_features == many.expand.out_features for few, many in zip(*units, strict=True))
    unseen = torch.from_numpy(sound(50 * HOP, seed=9))[None]
    worse = copy.deepcopy(made.model.encoder)
    for layer in worse.layers:
        if isinstance(layer, ResidualUnit):
            layer.contract.weight.data.zero_()
    features, found, without = (part(unseen) for part in (before.model.encoder, made.model.encoder, worse))
    assert (found - features).square().mean() < 0.1 * (without - features).square().mean()
    with pytest.raises(SystemExit):
        lighter.main([str(sounds), str(start), str(out), "--expansion", "0"])
