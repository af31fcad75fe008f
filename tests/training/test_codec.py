"""What a codec's training learns from and keeps: frozen codes, speakers, both losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from safetensors.torch import load_file
from tiny_models import RATE, sound, spectral_config, tiny_model
from tiny_runs import ALWAYS, SMALL_ADVERSARIAL, logged, run_from, toy_config
from torch import Tensor

import vqaudio
from vqaudio.config.training import TrainConfig
from vqaudio.errors import AudioError
from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Reconstruction
from vqaudio.model.bottleneck.residual import ResidualVQ
from vqaudio.training import codec
from vqaudio.training.codec import CodecTask
from vqaudio.training.loop import Trainer

PARTS = ("encoder", "bottleneck", "decoder")


def with_speakers(folder: Path, corpora: str = "toys") -> TrainConfig:
    """Toy recordings with names: ann and bob in training, cat in validation, one nameless."""
    config = toy_config(folder, speaker_corpora=[corpora], steps=4)
    rows = [("0.wav", "toys", "train", "bob"), ("1.wav", "toys", "train", "ann"), ("2.wav", "other", "train", "")]
    rows.append(("3.wav", "toys", "valid", "cat"))
    lines = [",".join(row) for row in [("path", "corpus", "split", "speaker"), *rows]]
    (folder / "sounds" / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    return config


def test_a_decoder_learns_the_voices_in_training(tmp_path):
    trainer = Trainer(with_speakers(tmp_path), progress=False)
    trainer.run()
    codec = vqaudio.load(tmp_path / "run" / "model.safetensors")
    assert codec.speakers == ("ann", "bob")
    codes = codec.encode(sound(RATE), RATE)
    ann, bob, nobody = (codec.decode(codes, name) for name in ("ann", "bob", ""))
    assert not np.array_equal(ann, bob)
    assert not np.array_equal(ann, nobody)
    np.testing.assert_array_equal(codec.convert(sound(RATE), RATE, speaker="ann"), ann)


def test_a_model_without_voices_can_learn_some(tmp_path):
    start = tmp_path / "start.safetensors"
    checkpoint.save(tiny_model(seed=3), start)
    config = with_speakers(tmp_path).model_copy(update={"init_from": str(start)})
    trainer = Trainer(config, progress=False)
    assert trainer.model.decoder.speaker_embedding.weight.shape == (3, 64)


def test_corpora_without_names_are_refused(tmp_path):
    with pytest.raises(AudioError, match=r"speaker_corpora names other, but .* has no training speaker with a name"):
        Trainer(with_speakers(tmp_path, "other"), progress=False)


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
    task.batch(network, step, rank=0, fraction=0.0)
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
    monkeypatch.setattr(codec, "CODE_COST_SHARE", 0.0)
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
    monkeypatch.setattr(codec, "CODE_COST_SHARE", 1.0)
    monkeypatch.setattr(codec, "MAX_CODE_COST", 3e3)  # embeddings save a hundredth of it at most
    task = frozen_task(start)
    bottleneck = task.model.bottleneck
    assert isinstance(bottleneck, ResidualVQ)
    for codebook in bottleneck.codebooks[1:]:
        codebook.embedding[5] = 0.0
    features, latents = decoded_from(task, 0)
    torch.testing.assert_close(latents, bottleneck.decode(bottleneck.encode(features, 1)))


def gradients(folder: Path, **changes: Any) -> tuple[list[Tensor], dict[str, Tensor]]:
    """What the weights of the model get in one step, and its logs."""
    task = CodecTask(toy_config(folder, quantize_after=0, **changes), progress=False)
    task.setup(Fabric(accelerator="cpu", devices=1))
    torch.manual_seed(0)
    made = task.batch(task.model, 0, rank=0, fraction=1.0)
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
