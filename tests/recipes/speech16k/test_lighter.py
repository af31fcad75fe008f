"""Encoder and decoder are pruned, and make nearly the same."""

from __future__ import annotations

import copy

import pytest
import soundfile
import torch
from tiny_models import HOP, RATE, sound, tiny_model
from torch import nn

from recipes.speech16k import lighter
from vqaudio.model import checkpoint
from vqaudio.model.layers import ResidualUnit


@pytest.fixture
def folder(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for index in range(3):
        soundfile.write(sounds / f"{index}.wav", sound(2 * RATE, seed=index)[0], RATE)
    return sounds


def units(part: nn.Module) -> list[ResidualUnit]:
    return [layer for layer in part.layers if isinstance(layer, ResidualUnit)]


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_lighter_part_makes_nearly_the_same(part, folder, tmp_path, capsys):
    start, out = tmp_path / "start.safetensors", tmp_path / "lighter.safetensors"
    checkpoint.save(tiny_model(), start)
    before = checkpoint.load(start)
    sizes = {"encoder": ["--stem-expansion", "1", "--expansion", "1"], "decoder": ["--decoder-hidden", "16,24"]}[part]
    assert lighter.main([str(folder), str(start), str(out), *sizes]) == 0
    told = [float(line.split("off by ")[1].split()[0]) for line in capsys.readouterr().out.splitlines()]
    assert len(told) == 2
    assert max(told) < -10.0
    made = checkpoint.load(out)
    assert made.fingerprint == before.fingerprint
    other = {"encoder": "decoder", "decoder": "encoder"}[part]
    state, whole = getattr(made.model, other).state_dict(), getattr(before.model, other).state_dict()
    assert all(torch.equal(state[name], whole[name]) for name in whole)
    small, large = getattr(made.model, part), getattr(before.model, part)
    sizes = [
        few.expand.out_features / many.expand.out_features for few, many in zip(units(small), units(large), strict=True)
    ]
    assert max(sizes) < 1.0
    features = before.model.encoder(torch.from_numpy(sound(50 * HOP, seed=9))[None])  # unseen
    heard = torch.from_numpy(sound(50 * HOP, seed=9))[None] if part == "encoder" else features
    without = copy.deepcopy(small)
    for unit in units(without):
        unit.contract.weight.data.zero_()
    wanted, found, worse = (network(heard) for network in (large, small, without))
    assert (found - wanted).square().mean() < 0.1 * (worse - wanted).square().mean()


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ([], "nothing to prune"),
        (["--expansion", "0"], "expansion"),
        (["--decoder-hidden", "16"], "hidden has 1 numbers"),
    ],
)
def test_sizes_must_be_given_and_fit(sizes, told, folder, tmp_path, capsys):
    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    checkpoint.save(tiny_model(), start)
    try:
        status = lighter.main([str(folder), str(start), str(out), *sizes])
    except SystemExit as stop:  # argparse's own
        status = stop.code
    assert status
    assert told in capsys.readouterr().err
    assert not out.exists()
