"""Where a run starts from: another model's weights, in the same shape or another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import RATE, sound, spectral_config, strided_config, tiny_model, waveforms
from tiny_runs import run_from, toy_config
from torch import Tensor, nn

import vqaudio
from vqaudio.config.bottleneck import VQConfig
from vqaudio.config.training import TrainConfig
from vqaudio.errors import ModelError
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.bottleneck.codebook import Codebook
from vqaudio.model.layers import ResidualUnit
from vqaudio.training.codec import CodecTask
from vqaudio.training.loop import Trainer


def test_a_run_can_start_from_a_model(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    embeddings = load_file(start)["bottleneck.codebooks.0.entries"].float()
    trainer = Trainer(toy_config(tmp_path, init_from=str(start), steps=1, quantize_after=0), progress=False)
    codebook = next(module for module in trainer.model.modules() if isinstance(module, Codebook))
    torch.testing.assert_close(codebook.embedding, embeddings)
    trainer.run()
    moved = (codebook.embedding - embeddings).norm(dim=1) / embeddings.norm(dim=1)
    assert moved.max() > 0  # it learns
    assert moved.median() < 0.5  # and goes on from where it was: codes that nobody chose stay, or are re-seeded


def with_bottleneck(config: TrainConfig, **changes: Any) -> TrainConfig:
    bottleneck = config.model.bottleneck.model_copy(update=changes)
    return config.model_copy(update={"model": config.model.model_copy(update={"bottleneck": bottleneck})})


def test_a_run_may_learn_otherwise_than_the_model_it_starts_from(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=1, quantize_after=0)
    trainer = Trainer(with_bottleneck(config, dropout=0.125, commitment=3.0), progress=False)
    assert (trainer.model.bottleneck.dropout, trainer.model.bottleneck.commitment) == (0.125, 3.0)
    with pytest.raises(ModelError, match=r"start\.safetensors does not fit this run's model .*size mismatch"):
        Trainer(with_bottleneck(config, codebook_size=7), progress=False)


def test_codebooks_can_be_added(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=4, quantize_after=0)
    trainer = Trainer(with_bottleneck(config, n_codebooks=5), progress=False)
    embeddings = [book.embedding.clone() for book in trainer.model.bottleneck.codebooks]
    old = tiny_model(seed=3).bottleneck.codebooks
    for mine, theirs in zip(embeddings, old, strict=False):
        torch.testing.assert_close(mine, theirs.embedding, rtol=1e-3, atol=1e-3)  # stored as float16
    trainer.run()
    for book, before in zip(trainer.model.bottleneck.codebooks, embeddings, strict=True):
        assert (book.embedding != before).any()
    fewer = with_bottleneck(config.model_copy(update={"out": str(tmp_path / "fewer")}), n_codebooks=2)
    with pytest.raises(ModelError, match="does not fit"):
        Trainer(fewer, progress=False)


def test_a_new_encoder_for_the_same_codes(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=3, quantize_after=0, frozen=["bottleneck", "decoder"])
    made = checkpoint.load(Trainer(with_bottleneck(config, search=12), progress=False).run())
    before = checkpoint.load(start)
    moved = {
        name.partition(".")[0]
        for name, tensor in made.model.state_dict().items()
        if not torch.equal(tensor, before.model.state_dict()[name])
    }
    assert moved == {"encoder"}
    assert (made.fingerprint, made.silence) == (before.fingerprint, before.silence)
    data = vqaudio.load(start).compress(sound(4000), RATE)
    found, expected = (vqaudio.load(path).decompress(data)[0] for path in (config.out + "/model.safetensors", start))
    assert np.array_equal(found, expected)


def test_a_decoder_that_learns_alone_plays_the_files_of_the_one_before(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=2, quantize_after=0, frozen=["bottleneck"])
    made = checkpoint.load(Trainer(config, progress=False).run())
    assert made.fingerprint == checkpoint.load(start).fingerprint
    for name, tensor in checkpoint.load(start).model.bottleneck.state_dict().items():
        assert torch.equal(made.model.bottleneck.state_dict()[name], tensor)


def test_another_kind_of_bottleneck_starts_from_data(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = toy_config(tmp_path, init_from=str(start), steps=1, quantize_after=0)
    model = config.model.model_copy(update={"bottleneck": VQConfig(codebook_size=7)})
    trainer = Trainer(config.model_copy(update={"model": model}), progress=False)
    encoder = tiny_model(seed=3).encoder.state_dict()
    for name, tensor in trainer.model.encoder.state_dict().items():
        torch.testing.assert_close(tensor, encoder[name], rtol=1e-3, atol=1e-3)  # stored as float16
    trainer.run()
    assert len(trainer.model.bottleneck.streams) == 1


def started(start: Path, **parts: dict[str, Any]) -> Autoencoder:
    """The model that such a run begins with."""
    return CodecTask(run_from(start, parts), progress=False).model.eval()


def kernels(module: nn.Module) -> list[Tensor]:
    return [unit.mix_time.weight.detach() for unit in module.modules() if isinstance(unit, ResidualUnit)]


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
