"""Networks on ONNX Runtime give what torch's do, for every kind of encoder, decoder and bottleneck."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from tiny_models import HOP, sound
from tiny_networks import CONFIGS, decibels, spectral, stored

from vqaudio.errors import ModelError
from vqaudio.inference import graphs
from vqaudio.inference.onnx_networks import OnnxNetworks, threads
from vqaudio.inference.spans import Span
from vqaudio.inference.stored import read_model
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.registry import models_here

FRAMES = 60
CONTEXT = Span(25, 24)  # above what any of these models sees, in whole codes of a hierarchy's top


def check(networks: OnnxNetworks, model: Autoencoder, batch: int = 2) -> None:
    """Features, codes and sound, with context and without; of a model that decodes only the sound of any codes."""
    if networks.decode_only:
        random = np.random.default_rng(0)
        codes = [random.integers(stream.alphabet, size=(batch, FRAMES)) for stream in networks.quantizer.streams]
        check_sound(networks, model, [torch.from_numpy(part) for part in codes])
        return
    waveform = sound(FRAMES * model.config.hop_length, batch)[:, None]
    with torch.inference_mode():
        features = model.encoder(torch.from_numpy(waveform)).numpy()
    found = networks.features(waveform)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, features, atol=1e-4)
    kept = networks.features(waveform, context=CONTEXT)
    np.testing.assert_allclose(kept, features[..., CONTEXT.left : -CONTEXT.right], atol=1e-4)
    if not networks.quantizer.streams:
        return
    with torch.inference_mode():
        check_sound(networks, model, model.bottleneck.encode(torch.from_numpy(features)))


def check_sound(networks: OnnxNetworks, model: Autoencoder, tokens: list[torch.Tensor]) -> None:
    """Of each kind of speaker, with context and without."""
    hop, codes = model.config.hop_length, [stream.numpy() for stream in tokens]
    for speaker in {0, len(model.config.speakers)}:
        with torch.inference_mode():
            decoded = model.decode(tokens, torch.full((len(tokens[0]),), speaker)).numpy()
        assert decibels(networks.decode(codes, speaker) - decoded, decoded) < -80
        middle = decoded[..., CONTEXT.left * hop : -CONTEXT.right * hop]
        assert decibels(networks.decode(codes, speaker, context=CONTEXT) - middle, middle) < -80


@pytest.mark.parametrize("name", CONFIGS)
def test_every_kind_of_network(name: str, tmp_path: Path) -> None:
    path = stored(CONFIGS[name], tmp_path)
    check(OnnxNetworks(read_model(path)), checkpoint.load(path).model)


@pytest.mark.parametrize("name", models_here())
def test_models_that_are_here(name: str) -> None:
    check(OnnxNetworks(read_model(name)), checkpoint.load(name).model, batch=1)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for count in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        networks = OnnxNetworks(read_model("digits"))
        waveform = sound(FRAMES * networks.config.hop_length)[:, None]
        features = networks.features(waveform)
        found.append((features.tobytes(), networks.decode(networks.encode(features)).tobytes()))
    assert found[0] == found[1] == found[2]


def test_less_context_than_is_seen_leaves_zeros_outside(tmp_path: Path) -> None:
    path = stored(spectral(), tmp_path)
    networks, model = OnnxNetworks(read_model(path)), checkpoint.load(path).model
    context, waveform = Span(1, 2), sound(20 * HOP)[:, None]
    with torch.inference_mode():
        features = model.encoder(torch.from_numpy(waveform)).numpy()
        tokens = model.bottleneck.encode(torch.from_numpy(features))
        decoded = model.decode(tokens).numpy()
    np.testing.assert_allclose(networks.features(waveform, context=context), features[..., 1:-2], atol=1e-4)
    codes = [stream.numpy() for stream in tokens]
    np.testing.assert_allclose(networks.decode(codes, context=context), decoded[..., HOP : -2 * HOP], atol=1e-4)


def test_speakers_sound_different(tmp_path: Path) -> None:
    networks = OnnxNetworks(read_model(stored(spectral(speakers=("ann", "bob")), tmp_path)))
    codes = [np.arange(12)[None] for _ in networks.quantizer.streams]
    nobody, ann = networks.decode(codes), networks.decode(codes, 1)
    assert np.abs(nobody - ann).max() > 1e-3


def test_a_model_that_decodes_only(tmp_path: Path) -> None:
    whole = checkpoint.load(stored(spectral(), tmp_path))
    checkpoint.save(checkpoint.without_encoder(whole), tmp_path / "decoder.safetensors", codes_of=whole)
    networks = OnnxNetworks(read_model(tmp_path / "decoder.safetensors"))
    assert networks.decode_only
    assert networks.decode([np.zeros((1, 9), np.int64)] * 3).shape == (1, 1, 9 * HOP)
    with pytest.raises(ModelError, match="decodes only"):
        networks.features(np.zeros((1, 1, HOP), np.float32))


def test_samples_that_are_no_whole_frames(tmp_path: Path) -> None:
    networks = OnnxNetworks(read_model(stored(spectral(), tmp_path)))
    with pytest.raises(ValueError, match="33 samples are no multiple of the hop_length 32"):
        networks.features(np.zeros((1, 1, 33), np.float32))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("decoder.head.weight", None, "tensor decoder.head.weight is missing"),
        ("encoder.layers.1.bias", np.zeros(3), r"tensor encoder.layers.1.bias has shape \(3,\), expected \(12,\)"),
        ("bottleneck.codebooks.1.entries", None, "tensor bottleneck.codebooks.1.entries is missing"),
        ("surplus", np.zeros(1), "tensor surplus is not expected"),
        ("bottleneck.codebooks.3.entries", np.zeros((16, 8)), "codebooks.3.entries is not expected"),
    ],
)
def test_tensors_that_do_not_fit(name: str, change: NDArray[np.float64] | None, reason: str, tmp_path: Path) -> None:
    path = stored(spectral(), tmp_path)
    with safe_open(path, framework="numpy") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors.pop(name, None)
    if change is not None:
        tensors[name] = change.astype(np.float16)
    save_file(tensors, path, metadata)
    with pytest.raises(ModelError, match=f"do not fit the embedded config .*{reason}"):
        OnnxNetworks(read_model(path))


def test_an_opset_that_the_runtime_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = OnnxNetworks(read_model(stored(spectral(), tmp_path)))
    monkeypatch.setattr(graphs, "OPSET", 1000)
    with pytest.raises(ModelError, match=r"^onnxruntime [\d.]+ does not know ONNX's opset \d+, .*: pip install -U"):
        networks.features(np.zeros((1, 1, HOP), np.float32))


@pytest.mark.parametrize(("asked", "number"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_threads(asked: str, number: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 5, 6, 7, 9}, raising=False)
    assert threads() == number or (number is None and threads() == 5)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert threads() == (number or os.cpu_count())
