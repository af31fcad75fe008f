"""How weights move: rates, optimisers, averages."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import toy_config
from torch import nn

from vqaudio.config.training import TrainConfig
from vqaudio.errors import ModelError
from vqaudio.inference.stored import stored_name
from vqaudio.training.loop import Trainer
from vqaudio.training.optimization import WeightAverage, learning_rate, make_optimizer, set_rate
from vqaudio.training.state import load_state, save_state


def test_the_learning_rate_warms_up_and_falls_as_a_cosine():
    config = TrainConfig(learning_rate=1.0, final_learning_rate=0.1, warmup_steps=4)
    assert [learning_rate(config, step, fraction=0.0) for step in range(5)] == pytest.approx(
        [0.25, 0.5, 0.75, 1.0, 1.0]
    )
    assert [learning_rate(config, 100, fraction=part) for part in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.55, 0.1])


@pytest.mark.parametrize("kind", ["adamw", "soap", "muon"])
def test_only_matrices_decay(kind):
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    decay, keep = make_optimizer(model, TrainConfig(optimizer=kind, weight_decay=0.5)).param_groups
    assert [id(p) for p in decay["params"]] == [id(model[0].weight)]
    assert decay["weight_decay"] == 0.5
    assert {id(p) for p in keep["params"]} == {id(model[0].bias), id(model[1].weight), id(model[1].bias)}
    assert keep["weight_decay"] == 0


def test_muon_turns_a_matrix_by_an_orthogonal_step_and_leaves_the_rest_to_adam():
    """A first step of Adam is the rate; Muon's has singular values near 1, times 0.2 sqrt(16) of the rate."""
    layer = nn.Linear(16, 16)
    optimizer = make_optimizer(layer, TrainConfig(optimizer="muon", weight_decay=0.0))
    set_rate(optimizer, 0.01)
    before = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    layer(torch.randn(32, 16)).square().mean().backward()
    optimizer.step()
    moved = {name: (parameter - before[name]).detach() for name, parameter in layer.named_parameters()}
    torch.testing.assert_close(moved["bias"].abs(), torch.full((16,), 0.01), rtol=1e-3, atol=0)
    sizes = torch.linalg.svdvals(moved["weight"]) / (0.01 * 0.2 * 16**0.5)
    assert 0.5 < sizes.median() < 1.3
    assert sizes.max() < 1.3
    set_rate(optimizer, 0.0)
    kept = layer.weight.detach().clone()
    optimizer.step()
    assert torch.equal(layer.weight, kept)


def test_soap_goes_straight_down_a_narrow_valley_askew():
    """Adam cannot tell a valley's direction from the axes of its weights; a rotation to the gradients' own axes can."""
    turn = torch.linalg.qr(torch.randn(16, 16))[0]
    stretched = turn @ torch.diag(torch.logspace(0, -3, 16)) @ turn.T
    start, goal = torch.randn(16, 24), torch.randn(16, 24)

    def left_over(kind):
        layer = nn.Linear(24, 16, bias=False)
        layer.weight.data.copy_(start)
        optimizer = make_optimizer(layer, TrainConfig(optimizer=kind, betas=(0.9, 0.95), weight_decay=0.0))
        for step in range(300):
            set_rate(optimizer, 0.05 * (1 - step / 300))
            optimizer.zero_grad()
            (stretched @ (layer.weight - goal)).square().sum().backward()
            optimizer.step()
        return float((layer.weight.detach() - goal).norm() / goal.norm())

    assert left_over("soap") < 0.5 * left_over("adamw")


@pytest.mark.parametrize("kind", ["adamw", "soap", "muon"])
def test_an_optimizer_goes_on_from_its_saved_state(tmp_path, kind):
    def made():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv1d(4, 8, 3), nn.Conv1d(8, 8, 3, groups=8), nn.Linear(36, 600))
        return model, make_optimizer(model, TrainConfig(optimizer=kind))

    def learn(model, optimizer, steps):
        for step in steps:
            torch.manual_seed(step)
            optimizer.zero_grad()
            model(torch.randn(2, 4, 40)).square().mean().backward()
            optimizer.step()

    model, optimizer = made()
    learn(model, optimizer, range(23))
    save_state(tmp_path / "state", {"model": model}, optimizers={"optimizer": optimizer}, numbers={"step": 23})
    learn(model, optimizer, range(23, 45))
    resumed, fresh = made()
    assert load_state(tmp_path / "state", {"model": resumed}, optimizers={"optimizer": fresh})[0] == {"step": 23}
    learn(resumed, fresh, range(23, 45))
    for one, other in zip(model.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    another = {"adamw": "soap", "soap": "muon", "muon": "adamw"}[kind]
    other_kind = make_optimizer(resumed, TrainConfig(optimizer=another))
    with pytest.raises(ModelError, match="was written by a run with another optimizer"):
        load_state(tmp_path / "state", {"model": resumed}, optimizers={"optimizer": other_kind})


def test_the_average_follows_weights_and_buffers():
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, 0.75)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    with torch.no_grad():
        model.weight.add_(4.0)
        model.running_mean.add_(8.0)
        model.num_batches_tracked.add_(3)
    average.update(model)
    assert average.model.weight.tolist() == [2.0, 2.0]
    assert average.model.running_mean.tolist() == [2.0, 2.0]
    assert average.model.num_batches_tracked == 3


def test_the_average_is_what_is_kept(tmp_path):
    trainer = Trainer(toy_config(tmp_path, steps=2, weight_ema=0.9), progress=False)
    path = trainer.run()
    kept = load_file(path)
    average, last = (
        {stored_name(name): tensor for name, tensor in model.state_dict().items()}
        for model in (trainer.best, trainer.model)
    )
    assert all(torch.equal(tensor, average[name].half()) for name, tensor in kept.items())
    assert any(not torch.equal(tensor, last[name].half()) for name, tensor in kept.items())
