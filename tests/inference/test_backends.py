"""What runs a model's networks: which backend is taken, and that each gives the codes and sound of the other."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_models import TINY_CONFIGS, randomised, tiny_model
from tiny_networks import decibels
from tools import MODEL, synthetic, untied

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.errors import ModelError
from vqaudio.inference.backends import BACKENDS
from vqaudio.inference.onnx_networks import OnnxNetworks
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.torch_networks import TorchNetworks

RATE = 16000


@pytest.fixture(params=["golden", *sorted(TINY_CONFIGS)])
def codecs(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Codec]:
    """One model in every backend."""
    path = MODEL
    if request.param != "golden":
        path = tmp_path / "tiny.safetensors"
        checkpoint.save(randomised(tiny_model(request.param), 0.1), path)
    return {backend: vqaudio.load(path, backend=backend) for backend in BACKENDS}


def test_codes_differ_at_ties_alone(codecs):
    wav = synthetic(3, RATE, channels=2)
    found = {backend: codec.encode(wav, RATE, with_margin=False).streams for backend, codec in codecs.items()}
    assert not untied(codecs["onnx"], ArraySource(wav, RATE), found["onnx"], found["torch"])
    assert np.mean(np.stack(found["onnx"]) != np.stack(found["torch"])) < 0.001


def test_equal_codes_sound_equal(codecs):
    codes = codecs["onnx"].encode(synthetic(3, RATE), RATE)
    one, other = (codec.decode(codes) for codec in codecs.values())
    assert decibels(one - other, one) < -80


def test_files_of_one_are_decoded_by_the_other(codecs):
    wav = synthetic(1, RATE)
    for writer, reader in (("onnx", "torch"), ("torch", "onnx")):
        data = codecs[writer].compress(wav, RATE)
        (one, _), (other, _) = (codecs[backend].decompress(data) for backend in (writer, reader))
        assert decibels(one - other, one) < -80


def test_networks_on_the_cpu_need_no_torch_unless_it_is_asked_for():
    assert isinstance(vqaudio.load(MODEL).networks, OnnxNetworks)
    assert isinstance(vqaudio.load(MODEL, backend="onnx").networks, OnnxNetworks)
    assert isinstance(vqaudio.load(MODEL, backend="torch").networks, TorchNetworks)


def test_the_module_is_loaded_when_it_is_asked_for():
    codec = vqaudio.load(MODEL)
    assert isinstance(codec.model, Autoencoder)
    assert codec.model is codec.model
    codec = vqaudio.load(MODEL, backend="torch")
    assert codec.model is codec.networks.model


@pytest.mark.parametrize(
    ("device", "backend", "message"),
    [
        ("cpu", "onyx", r"backend 'onyx' is not known; did you mean onnx\? There are onnx, torch"),
        ("cuda", "onnx", "device 'cuda' cannot be used by the backend onnx: use cpu, or the backend torch"),
    ],
)
def test_what_no_backend_can_do(device, backend, message):
    with pytest.raises(ModelError, match=message):
        vqaudio.load(MODEL, device, backend=backend)


def test_without_torch_what_needs_it_says_how_to_install_it(monkeypatch):
    codec = vqaudio.load(MODEL)
    monkeypatch.delitem(sys.modules, "vqaudio.model.torch_networks")
    monkeypatch.setitem(sys.modules, "torch", None)
    for ask in (lambda: codec.model, lambda: vqaudio.load(MODEL, backend="torch"), lambda: vqaudio.load(MODEL, "cuda")):
        with pytest.raises(
            ModelError, match=r"^torch is needed here and not installed: pip install 'vqaudio\[torch\]'$"
        ):
            ask()
    assert codec.encode(synthetic(0.1, RATE), RATE).streams
