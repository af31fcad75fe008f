"""WaveNets on disk, and integer networks: what comes back, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from priors import (
    CODEC,
    STREAMS,
    logits_of,
    random_codes,
    tiny_wavenet,
)
from safetensors import safe_open
from safetensors.torch import save_file

from vqaudio.errors import ModelError
from vqaudio.prior import integer
from vqaudio.prior.entropy import PRIORS
from vqaudio.qat.fake_quantize import set_quantized
from vqaudio.wavenet import export, saved

LABELS = torch.tensor([[2, 3]])  # BOB


def test_a_saved_network_comes_back(tmp_path: Path):
    net, codes = tiny_wavenet(), random_codes(STREAMS, 2, 9)
    saved.save(net, tmp_path / "prior.safetensors", codec=CODEC, training={"steps": 7})
    found = saved.load(tmp_path / "prior.safetensors")
    assert (found.codec, found.training) == (CODEC, {"steps": 7})
    assert (found.net.streams, found.net.config) == (net.streams, net.config)
    assert list(found.net.fields.items()) == list(net.fields.items())
    assert not found.net.training
    for name, values in net.state_dict().items():
        assert torch.equal(found.net.state_dict()[name], values.half().to(values.dtype))
    set_quantized(net, quantized=False)
    for a, b in zip(logits_of(net, codes, LABELS), logits_of(found.net, codes, LABELS), strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)  # weights are float16 on disk


def rewritten(path: Path, change: Callable[[dict[str, Any]], object] = lambda _: None, **changes: Any) -> None:
    """Change what a file's config says, then entries of its metadata; or leave out its first tensor (``drop``)."""
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if changes.pop("drop", False):
        del tensors[min(tensors)]
    described = json.loads(metadata["config"])
    change(described)
    save_file(tensors, path, metadata | {"config": json.dumps(described)} | changes)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "missing": Path.unlink,
    "of another kind": lambda path: rewritten(path, kind="autoencoder"),
    "a tensor short": lambda path: rewritten(path, drop=True),
    "without a config": lambda path: save_file({"used": torch.zeros(3, 5)}, path),
    "with a config that is no JSON": lambda path: rewritten(path, config="{"),
    "with a config that is a list": lambda path: rewritten(path, config="[]"),
    "without streams": lambda path: rewritten(path, lambda config: config.pop("streams")),
    "with streams that are none": lambda path: rewritten(path, lambda config: config.update(streams=[3])),
    "with fields that are a list": lambda path: rewritten(path, lambda config: config.update(fields=[1])),
    "with more streams than it has tensors": lambda path: rewritten(
        path, lambda config: config["streams"].append([16, 1])
    ),
}


@pytest.mark.parametrize("kind", ["network", "export"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: str, kind: str):
    path = tmp_path / "prior.safetensors"
    (saved if kind == "network" else export).save(tiny_wavenet(), path, codec=CODEC)
    DAMAGES[damage](path)
    with pytest.raises(ModelError) as caught:
        (saved if kind == "network" else integer).load(path)
    assert str(caught.value).startswith(f"{path}: is not a readable prior (")
    assert "\n" not in str(caught.value)


def test_a_config_that_is_out_of_range_is_refused_with_its_key(tmp_path: Path):
    path = tmp_path / "prior.safetensors"
    saved.save(tiny_wavenet(), path, codec=CODEC)
    rewritten(path, lambda config: config["config"].update(channels=0))
    with pytest.raises(ModelError, match="channels"):
        saved.load(path)


def test_training_notes_that_are_no_json_are_refused(tmp_path: Path):
    path = tmp_path / "prior.safetensors"
    saved.save(tiny_wavenet(), path, codec=CODEC)
    rewritten(path, training="{")
    with pytest.raises(ModelError, match="is not a readable prior"):
        saved.load(path)


@pytest.mark.parametrize("name", ["digits", "speech-16k-v4"])
def test_shipped_networks_have_the_names_that_they_always_had(tmp_path: Path, name: str):
    path = PRIORS / f"{name}.safetensors"
    found = saved.load(path)
    saved.save(found.net, tmp_path / "again.safetensors", codec=found.codec, training=found.training)
    with safe_open(path, framework="pt") as before, safe_open(tmp_path / "again.safetensors", framework="pt") as after:
        assert sorted(before.keys()) == sorted(after.keys())
        for key in before.keys():  # noqa: SIM118 (not a mapping)
            assert torch.equal(before.get_tensor(key), after.get_tensor(key))
    assert {name.split(".")[0] for name in found.net.state_dict()} & set(saved.ON_DISK) == {
        "active_streams",
        "embeddings",
        "embedding_quantizer",
        "condition_quantizer",
        "context_quantizer",
    }
