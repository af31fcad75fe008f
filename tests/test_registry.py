"""Decoders that become better while codes stay: how they are told apart, and that each plays what any other could."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from recipe_scripts import script
from safetensors.numpy import save_file
from tiny_models import RATE, sound, tiny_model

import vqaudio
from vqaudio import info, registry
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.prior import entropy
from vqaudio.registry import Decoder, decoder_of, fingerprint


@pytest.fixture
def first(tmp_path):
    """Version 1 of the decoder of some codes."""
    path = tmp_path / "first.safetensors"
    checkpoint.save(tiny_model(), path, decoder_version=1)
    return path


@pytest.fixture
def second(tmp_path, first):
    """Version 2: the same encoder and codebooks, and another decoder."""
    model = copy.deepcopy(tiny_model())
    model.decoder = tiny_model(seed=5).decoder
    path = tmp_path / "second.safetensors"
    checkpoint.save(model, path, codes_of=checkpoint.load(first), decoder_version=2)
    return path


def test_two_decoders_have_one_fingerprint_of_codes_and_a_version_each(first, second):
    assert fingerprint(first) == fingerprint(second)
    one, two = decoder_of(first), decoder_of(second)
    assert (one.version, two.version) == (1, 2)
    assert one.fingerprint != two.fingerprint
    assert [checkpoint.load(path).decoder_version for path in (first, second)] == [1, 2]


def test_each_plays_the_files_of_the_other(first, second):
    wav = sound(RATE)
    codecs = [vqaudio.load(path) for path in (first, second)]
    files = [codec.compress(wav, RATE) for codec in codecs]
    assert files[0] == files[1]  # the encoder is the same, and a file does not say which decoder there was
    one, two = (codec.decompress(files[0])[0] for codec in codecs)
    assert one.shape == two.shape == wav.shape
    assert not np.allclose(one, two, atol=1e-3)
    assert np.array_equal(codecs[1].decompress(files[1])[0], two)


def test_a_prior_is_for_codes_whoever_decodes_them(first, second, tmp_path, monkeypatch):
    monkeypatch.setattr(entropy, "PRIORS", tmp_path / "priors")
    entropy.PRIORS.mkdir()
    path = entropy.PRIORS / "first.int8.safetensors"
    save_file({}, path, metadata={"config": json.dumps({"codec": fingerprint(first)})})
    assert [vqaudio.load(one).prior_file for one in (first, second)] == [path, path]


def test_the_fingerprint_of_a_decoder_is_that_of_its_weights_alone(tmp_path, first):
    model = tiny_model(seed=9)
    model.decoder = tiny_model().decoder
    checkpoint.save(model, tmp_path / "other.safetensors")
    other = decoder_of(tmp_path / "other.safetensors")
    assert other == Decoder(None, decoder_of(first).fingerprint)
    assert fingerprint(tmp_path / "other.safetensors") != fingerprint(first)


def test_info_tells_the_decoder_that_plays_a_file_here(first, second, tmp_path, monkeypatch, capsys):
    file = tmp_path / "x.vq"
    file.write_bytes(vqaudio.load(first).compress(sound(4000), RATE))
    for path in (first, second):
        models = tmp_path / f"with-{path.stem}"
        models.mkdir()
        path.rename(models / path.name)
        monkeypatch.setattr(registry, "MODELS", models)
        assert info.main([str(file), "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        expected = decoder_of(models / path.name)
        assert Decoder(facts["decoder_version"], facts["decoder_fingerprint"]) == expected
        assert facts["model"] == path.stem
        assert info.main([path.stem, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert Decoder(told["decoder_version"], told["decoder_fingerprint"]) == expected
        assert told["fingerprint"] == facts["model_fingerprint"]


@pytest.mark.parametrize("told", ["", "0", "-1", "two", "1.5", "1" * 7])
def test_a_version_that_is_none_is_damage(tmp_path, told):
    path = tmp_path / "x.safetensors"
    checkpoint.save(tiny_model(), path, decoder_version=told)
    for read in (decoder_of, checkpoint.load):
        with pytest.raises(ModelError, match=f"the version '{told}', expected 1, 2, .*; the file is damaged"):
            read(path)


def test_a_mixture_of_two_decoders_lies_between_them_and_keeps_the_codes(first, second, tmp_path):
    out, shares = tmp_path / "mixed.safetensors", (0.0, 0.25, 1.0)
    mixed = []
    for share in shares:
        assert script("speech16k/mix.py").main([str(first), str(second), str(share), str(out)]) == 0
        assert fingerprint(out) == fingerprint(first)
        mixed.append(checkpoint.load(out).model.decoder.state_dict())
    one, two = (checkpoint.load(path).model.decoder.state_dict() for path in (first, second))
    for name, start in one.items():
        for share, found in zip(shares, mixed, strict=True):
            torch.testing.assert_close(found[name], start + share * (two[name] - start), rtol=2e-3, atol=2e-3)


def test_decoders_of_other_codes_are_not_mixed(first, tmp_path, capsys):
    checkpoint.save(tiny_model(seed=3), tmp_path / "other.safetensors")
    out = tmp_path / "mixed.safetensors"
    assert script("speech16k/mix.py").main([str(first), str(tmp_path / "other.safetensors"), "0.5", str(out)]) == 1
    assert "decodes other codes" in capsys.readouterr().err
    assert not out.exists()
