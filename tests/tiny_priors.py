"""Tiny priors for the golden model's codes, and tokens of toy sounds for priors to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tiny_models import tiny_model
from tiny_runs import toy_folder
from torch.nn import functional

from vqaudio.codec.codec import Codec
from vqaudio.config.prior import PriorTrainConfig, WaveNetConfig
from vqaudio.model import checkpoint
from vqaudio.qat.fake_quantize import set_quantized
from vqaudio.tokenize import main as tokenize
from vqaudio.tokens import Row
from vqaudio.wavenet import WaveNet, export

SPEAKERS = ("ann", "bob")
SIZES = {
    "channels": 16,
    "skip_channels": 16,
    "dilations": (1, 2, 4),
    "head_channels": 24,
    "code_dim": 8,
    "condition_channels": 8,
    "dropout": 0.0,
}


def toy_prior(path: Path, codec: Codec, sounds: Sequence[NDArray[np.float32]], seed: int = 0, steps: int = 60) -> Path:
    """The quantized export of a network that knows a codec's ``sounds`` ``(samples,)``, all equally long, by heart.

    The first sound is ann's, the second bob's, and so on in turn; each is also learned without its speaker.
    """
    codes = [codec.encode(sound, codec.sample_rate).streams for sound in sounds]
    known = [torch.from_numpy(np.concatenate(2 * parts)).long() for parts in zip(*codes, strict=True)]
    speakers = torch.tensor([1 + index % len(SPEAKERS) for index in range(len(sounds))] + [0] * len(sounds))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = WaveNet(WaveNetConfig(**SIZES), codec.streams, {"speaker": SPEAKERS})
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        for _ in range(steps):
            used = int(torch.randint(1, len(known) + 1, ()))
            logits = net(known[:used], speakers[:, None])
            losses = [functional.cross_entropy(a.transpose(1, 2), b) for a, b in zip(logits, known, strict=False)]
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            optimizer.step()
    with torch.no_grad():
        set_quantized(net, quantized=False, observing=True)
        net(known, speakers[:, None])
    set_quantized(net)
    export.save(net, path, codec=codec.fingerprint, seconds=len(sounds[0]) / codec.sample_rate)
    return path


def toy_tokens(folder: Path) -> Path:
    """``folder``/codec.safetensors, and the tokens that it makes of ``folder``/sounds, with three codebooks and one."""
    checkpoint.save(tiny_model(), folder / "codec.safetensors")
    toy_folder(folder / "sounds")
    model = str(folder / "codec.safetensors")
    options = ["--model", model, "--codebooks", "3,1", "--versions", "1", "--jobs", "1", "--quiet"]
    assert tokenize([str(folder / "sounds"), str(folder / "tokens"), *options]) == 0
    return folder


def prior_config(folder: Path, out: Path, **changes: Any) -> PriorTrainConfig:
    """A run in ``out`` on what :func:`toy_tokens` left in ``folder``, with changed values."""
    values: dict[str, Any] = {
        "kind": "prior",
        "codec": str(folder / "codec.safetensors"),
        "model": SIZES,
        "data": {"folder": str(folder / "tokens"), "crop_seconds": 0.2, "batch_size": 4},
        "out": str(out),
        "steps": 12,
        "learning_rate": 0.02,
        "warmup_steps": 2,
        "quantize_from": 0.5,
        "log_every": 1,
        "accelerator": "cpu",
    }
    return PriorTrainConfig.model_validate(values | changes)


def row(codes: list[list[int]], **known: object) -> Row:
    """A recording's tokens, which belong to training unless told otherwise."""
    values = {"path": "a.wav", "corpus": "words", "speaker": "", "label": "", "split": "train", "version": 0} | known
    return Row(codes=[np.array(part, np.int32) for part in codes], **values)  # type: ignore[arg-type]
