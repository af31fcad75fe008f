"""What a codec's training starts from, learns from and keeps: other models' weights, frozen codes, both losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from safetensors.torch import load_file
from tiny_models import spectral_config, strided_config, tiny_model, waveforms
from tiny_runs import ALWAYS, SMALL_ADVERSARIAL, logged, toy_config
from torch import Tensor, nn

from vqaudio.config.training import TrainConfig
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder, Reconstruction
from vqaudio.model.bottleneck.residual import ResidualVQ
from vqaudio.model.layers import ResidualUnit
from vqaudio.training import codec, losses
from vqaudio.training.codec import CodecTask
from vqaudio.training.loop import Trainer

PARTS = ("encoder", "bottleneck", "decoder")


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A model to start from, whose units each do something."""
    model = tiny_model(seed=3)
    for module in model.modules():
        if isinstance(module, ResidualUnit):
            nn.init.normal_(module.scale)
            nn.init.normal_(module.expand.weight)
            nn.init.normal_(module.contract.weight)
    path = tmp_path / "start.safetensors"
    checkpoint.save(model, path)
    return path


def run_from(start: Path, parts: dict[str, dict[str, Any]] | None = None, **changes: Any) -> TrainConfig:
    """A run that starts from a model, with changed values of its parts."""
    model = spectral_config().model_dump()
    for part, values in (parts or {}).items():
        model[part] |= values
    config = toy_config(start.parent, init_from=str(start), quantize_after=0, **changes)
    return TrainConfig.model_validate(config.model_dump() | {"model": model})


def started(start: Path, **parts: dict[str, Any]) -> Autoencoder:
    """The model that such a run begins with."""
    return CodecTask(run_from(start, parts), progress=False).model.eval()


def kernels(module: nn.Module) -> list[Tensor]:
    return [unit.mix_time.weight.detach() for unit in module.modules() if isinstance(unit, ResidualUnit)]


# ---------------------------------------------------------------------------------------- kernels of another look-ahead


@pytest.mark.parametrize("look_ahead", [None, (1, 1)])
def test_an_encoder_that_looks_as_far_ahead_is_the_same_to_the_bit(start, look_ahead):
    ours, theirs = started(start, encoder={"look_ahead": look_ahead}), checkpoint.load(start).model
    for (name, mine), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(mine, other), name


def test_taps_keep_their_place_in_time(start):
    """Of three taps, for the frame before, its own and the one after, some fall away and zeros come in."""
    theirs = kernels(checkpoint.load(start).model.encoder)
    for look_ahead in ((0, 2), (2, 0)):
        for ahead, mine, other in zip(
            look_ahead, kernels(started(start, encoder={"look_ahead": look_ahead}).encoder), theirs, strict=True
        ):
            before, own, after = other.unbind(-1)
            nothing = torch.zeros_like(own)
            expected = {0: (nothing, before, own), 2: (own, after, nothing)}[ahead]
            assert torch.equal(mine, torch.stack(expected, -1))


def test_an_impulse_is_heard_at_the_frames_that_are_left(start):
    impulse = torch.zeros(1, 12, 9)
    impulse[..., 4] = 1.0
    heard = []
    for model in (checkpoint.load(start).model, started(start, encoder={"look_ahead": (0, 0)})):
        unit = next(module for module in model.encoder.modules() if isinstance(module, ResidualUnit))
        padded = nn.functional.pad(impulse, (unit.span.left, unit.span.right))
        heard.append(unit.mix_time(padded) - unit.mix_time.bias[:, None])
    old, new = heard
    assert (old[..., 3] != 0).all()
    assert (new[..., 3] == 0).all()  # what a frame heard of the one after it
    torch.testing.assert_close(new[..., 4:], old[..., 4:])


def test_longer_kernels_with_the_same_taps_are_the_same_function(start):
    sound = waveforms(2, 3200)
    ours, theirs = started(start, encoder={"kernel_size": 6}), checkpoint.load(start).model
    torch.testing.assert_close(ours.encoder(sound), theirs.encoder(sound), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ deeper models


@pytest.mark.parametrize(
    "parts",
    [
        {"encoder": {"units": 3}},
        {"encoder": {"stem_units": 2, "units": 2}, "decoder": {"units": 5}},
        {"encoder": {"stem_units": 3, "look_ahead": (1, 0, 2, 1)}},  # that of added units does not matter yet
    ],
    ids=str,
)
def test_a_deeper_model_begins_as_the_same_function(start, parts):
    sound = waveforms(2, 3200)
    ours, theirs = started(start, **parts), checkpoint.load(start).model
    for part, values in parts.items():
        added = sum(values.get(name, 0) for name in ("stem_units", "units"))
        assert len(kernels(getattr(ours, part))) >= added > 1
    assert torch.equal(ours.encoder(sound), theirs.encoder(sound))
    assert torch.equal(ours(sound).waveform, theirs(sound).waveform)


def test_added_units_can_learn(start):
    trainer = Trainer(run_from(start, {"encoder": {"units": 2}, "decoder": {"units": 3}}, steps=3), progress=False)
    added = [
        [module for module in part.modules() if isinstance(module, ResidualUnit)][-1]
        for part in (trainer.model.encoder, trainer.model.decoder)
    ]
    assert all((unit.scale == 0).all() for unit in added)
    trainer.run()
    assert all((unit.scale != 0).any() for unit in added)


def test_kernels_find_their_units_in_a_deeper_encoder(start):
    parts = {"stem_units": 2, "units": 2, "look_ahead": (0, 1, 2, 1)}
    ours, theirs = kernels(started(start, encoder=parts).encoder), kernels(checkpoint.load(start).model.encoder)
    assert torch.equal(ours[0][..., 1:], theirs[0][..., :2])
    assert torch.equal(ours[2][..., :2], theirs[1][..., 1:])


def test_a_deeper_decoder_may_learn_voices(start):
    config = run_from(start, {"decoder": {"units": 4}})
    config = config.model_copy(update={"model": config.model.model_copy(update={"speakers": ("ann", "bob")})})
    ours, theirs = CodecTask(config, progress=False).model.eval(), checkpoint.load(start).model
    latents = torch.randn(2, 8, 20)
    made = ours.decoder(latents, torch.tensor([0, 2]))
    torch.testing.assert_close(made, theirs.decoder(latents), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": {"stem_units": 0}},
        {"encoder": {"channels": 20, "units": 2}},
        {name: getattr(strided_config(), name).model_dump() | {"units": 2} for name in ("encoder", "decoder")},
    ],
    ids=["fewer units", "wider", "another kind"],
)
def test_models_that_do_not_fit_are_refused_in_a_line(start, change):
    model = spectral_config().model_dump()
    model |= {part: values if "kind" in values else model[part] | values for part, values in change.items()}
    config = TrainConfig.model_validate(run_from(start).model_dump() | {"model": model})
    with pytest.raises(ModelError, match=r"start\.safetensors does not fit this run's model") as caught:
        CodecTask(config, progress=False)
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------------------------------------- frozen codes


def frozen_task(start: Path, **bottleneck: Any) -> CodecTask:
    """A task whose decoder learns from the codes of a model that stays."""
    config = run_from(start, {"bottleneck": bottleneck}, frozen=["encoder", "bottleneck"])
    batch = config.data.model_copy(update={"batch_size": 8})
    task = CodecTask(config.model_copy(update={"data": batch}), progress=False)
    task.setup(Fabric(accelerator="cpu", devices=1))
    return task


def decoded_from(task: CodecTask, step: int) -> tuple[Tensor, Tensor]:
    """Features of the crops of a step, and the latents that the decoder was given for them."""
    given: list[Tensor] = []

    def network(waveform: Tensor, quantize: bool, *, speaker: Tensor, latents: Tensor) -> Reconstruction:
        given.append(latents)
        return task.model(waveform, quantize, speaker=speaker, latents=latents)

    torch.manual_seed(step)
    task.batch(network, step, 0, 0.0)
    return task.model.encoder(task.train_crops.batch(step).source), given[0]


def test_only_the_decoder_learns_from_frozen_codes(start):
    """With batches of two crops, fewer than the parts that a batch is split into."""
    trainer = Trainer(run_from(start, steps=3, frozen=["encoder", "bottleneck"]), progress=False)
    made = checkpoint.load(trainer.run()).model
    theirs = checkpoint.load(start).model
    for part in PARTS:
        pairs = list(
            zip(getattr(made, part).state_dict().items(), getattr(theirs, part).state_dict().values(), strict=True)
        )
        same = [torch.equal(mine, other) for (_, mine), other in pairs]
        assert all(same) if part != "decoder" else not all(same)
    assert all(parameter.grad is None for parameter in trainer.model.encoder.parameters())
    assert all(parameter.grad is not None for parameter in trainer.model.decoder.parameters())
    assert made.config == spectral_config()


def test_frozen_codes_are_searched_from_any_number_of_codebooks(start, monkeypatch):
    monkeypatch.setattr(codec, "COSTLY_SHARE", 0.0)
    task = frozen_task(start, search=12)
    seen = set()
    for step in range(6):
        features, latents = decoded_from(task, step)
        by_depth = [task.model.bottleneck.decode(task.model.bottleneck.encode(features, count)) for count in (1, 2, 3)]
        for group in range(4):
            items = slice(2 * group, 2 * group + 2)
            fits = [torch.allclose(latents[items], made[items], atol=1e-5) for made in by_depth]
            assert sum(fits) == 1
            seen.add(1 + fits.index(True))
    assert seen == {1, 2, 3}


def test_costly_codes_end_frames_at_stop_codes(start, monkeypatch):
    monkeypatch.setattr(codec, "COSTLY_SHARE", 1.0)
    monkeypatch.setattr(codec, "MOST_COST", 3e3)  # embeddings save a hundredth of it at most
    task = frozen_task(start)
    bottleneck = task.model.bottleneck
    assert isinstance(bottleneck, ResidualVQ)
    for codebook in bottleneck.codebooks[1:]:
        codebook.embedding[5] = 0.0
    features, latents = decoded_from(task, 0)
    torch.testing.assert_close(latents, bottleneck.decode(bottleneck.encode(features, 1)))


# --------------------------------------------------------------------------------------------------------- both losses


def test_validation_hears_all_scales(tmp_path, monkeypatch):
    config = toy_config(tmp_path, quantize_after=0, loss={"margin_seconds": 0.02, "sampled_scales": True})
    task, fabric = CodecTask(config, progress=False), Fabric(accelerator="cpu", devices=1)
    task.setup(fabric)
    plain = CodecTask(
        config.model_copy(update={"loss": config.loss.model_copy(update={"sampled_scales": False})}), False
    )
    plain.setup(fabric)
    assert task.validate(task.model, fabric, 0) == plain.validate(task.model, fabric, 0)
    drawn: list[int] = []
    draw = losses.sample_windows
    monkeypatch.setattr(losses, "sample_windows", lambda: drawn.append(1) or draw())
    task.validate(task.model, fabric, 0)
    assert not drawn
    task.batch(task.model, 0, 0, 0.0)
    assert drawn


def gradients(folder: Path, **changes: Any) -> tuple[list[Tensor], dict[str, Tensor]]:
    """What the weights of the model get in one step, and its logs."""
    task = CodecTask(toy_config(folder, quantize_after=0, **changes), progress=False)
    task.setup(Fabric(accelerator="cpu", devices=1))
    torch.manual_seed(0)
    made = task.batch(task.model, 0, 0, 1.0)
    made.loss.backward()
    return [parameter.grad for parameter in task.model.parameters() if parameter.grad is not None], made.logs


def test_discriminators_that_learn_alone_leave_the_models_gradient_as_it_was(tmp_path):
    plain, logs = gradients(tmp_path)
    steered, more = gradients(tmp_path, adversarial=SMALL_ADVERSARIAL)
    assert sorted(more) == sorted(logs)
    torch.testing.assert_close(more["loss"], logs["loss"])
    for ours, theirs in zip(steered, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_the_logged_loss_is_the_reconstructions_whoever_steers(tmp_path):
    plain, logs = gradients(tmp_path)
    steered, more = gradients(tmp_path, adversarial=SMALL_ADVERSARIAL | {"pretrain_steps": 0})
    torch.testing.assert_close(more["loss"], logs["loss"])
    assert set(more) - set(logs) == {"adversarial", "feature_matching"}
    assert any(not torch.allclose(*pair, rtol=1e-2) for pair in zip(steered, plain, strict=True))


def test_a_run_that_stops_goes_on_with_its_discriminators_and_stop_codes(tmp_path, monkeypatch):
    changes = {
        "adversarial": SMALL_ADVERSARIAL | {"start": 0.2, "pretrain_steps": 1, "discriminators_per_step": 1},
        "steps": 8,
    }
    changes |= {"save_every_minutes": ALWAYS, "optimizer": "muon", "weight_ema": 0.9}
    model = spectral_config().model_dump()
    model["bottleneck"] |= {"stop_codes": True, "dropout": 0.9, "frame_dropout": 0.5}
    changes |= {"model": model, "loss": {"margin_seconds": 0.02, "sampled_scales": True}}
    whole = toy_config(tmp_path, out=str(tmp_path / "whole"), **changes)
    Trainer(whole, progress=False).run()

    config, step = toy_config(tmp_path, **changes), Trainer._train_step

    def stopping(self: Trainer) -> Any:
        if self.step == 5:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Trainer, "_train_step", stopping)
    stopped = Trainer(config, progress=False)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    monkeypatch.setattr(Trainer, "_train_step", step)
    resumed = Trainer(config, resume=True, progress=False)
    assert resumed.step == 5
    resumed.run()

    ours, theirs = (load_file(Path(out) / "resume.safetensors") for out in (config.out, whole.out))
    assert sorted(ours) == sorted(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert ours["gradient_norms/counts"].tolist() == [5, 5, 5]
    assert {"train/adversarial", "train/feature_matching"} <= set(logged(config.out, 1)[8])
    embeddings = [ours[f"model/bottleneck.codebooks.{level}.embedding"] for level in range(3)]
    assert [int((one == 0).all(1).sum()) for one in embeddings] == [0, 1, 1]
