"""The network of time series: its quantized export computes the very same, and its files come back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from learned_reference import Network
from safetensors import safe_open

from vqaudio.errors import ConfigError, ModelError
from vqaudio.qat.fake_quantize import calibrate, set_quantized
from vqaudio.series.coding import model
from vqaudio.series.coding.context_features import N_FEATURES
from vqaudio.training.series_network import SeriesNetwork, load, quantized_export, save, save_export


def features(rows: int = 300) -> torch.Tensor:
    return torch.randint(-127, 128, (rows, N_FEATURES), generator=torch.Generator().manual_seed(0)).float()


def on_grids(hidden: int = 24) -> SeriesNetwork:
    torch.manual_seed(0)
    network = SeriesNetwork(hidden)
    calibrate(network, lambda: network(features()))
    set_quantized(network)
    return network


@torch.no_grad()
def test_the_export_of_a_network_on_grids_computes_the_same():
    network = on_grids()
    logits = network(features()) * 32
    exported = Network(quantized_export(network))
    assert (exported.logits(features().numpy()) == logits.numpy()).all()
    assert len(np.unique(logits)) > 20
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(features()) * 32, logits)


def test_files_have_the_form_of_the_shipped_one(tmp_path: Path):
    network, path = on_grids(), tmp_path / "model.int8.safetensors"
    save_export(network, path, tables=["a.csv", "b"])
    found, expected = model.load(path), model.Model(quantized_export(network), "")
    pairs = zip(found.packed.arrays, expected.packed.arrays, strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    with safe_open(path, framework="numpy") as ours, safe_open(model.DEFAULT, framework="numpy") as shipped:
        assert sorted(ours.keys()) == sorted(shipped.keys())
        assert [ours.get_tensor(name).dtype for name in ours.keys()] == [  # noqa: SIM118 (not a mapping)
            shipped.get_tensor(name).dtype
            for name in ours.keys()  # noqa: SIM118 (not a mapping)
        ]
        config, theirs = (json.loads(file.metadata()["config"]) for file in (ours, shipped))
    assert config == {"kind": theirs["kind"], "tables": ["a.csv", "b"], "hidden": 24}
    assert sorted(config) == sorted(theirs)


def test_a_network_in_floating_point_comes_back(tmp_path: Path):
    network = on_grids(8)
    save(network, tmp_path / "x.safetensors", training={"steps": 3})
    found = load(tmp_path / "x.safetensors")
    assert found.hidden == 8
    assert all(torch.equal(found.state_dict()[name], values) for name, values in network.state_dict().items())


@pytest.mark.parametrize("what", ["text", "export", "tensor", "missing"])
def test_files_that_hold_no_network_are_refused(tmp_path: Path, what: str):
    path, network = tmp_path / "x.safetensors", on_grids(8)
    if what == "text":
        path.write_text("no network")
    elif what == "export":
        save_export(network, path, tables=[])
    elif what == "tensor":
        network.hidden = 9
        save(network, path, training={})
    with pytest.raises(ModelError, match=r"x\.safetensors: is not a readable network of time series") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_network_too_wide_for_exact_sums_cannot_be_made():
    with pytest.raises(ConfigError, match="a layer of 513 inputs"):
        SeriesNetwork(513)
