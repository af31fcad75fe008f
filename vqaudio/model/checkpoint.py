"""Models as torch modules, from files and into files: see :mod:`vqaudio.inference.stored` for what is in those."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import dump_json
from vqaudio.files import atomic_write
from vqaudio.inference.stored import StoredModel, read_model, stored_name
from vqaudio.model.autoencoder import Autoencoder

DECODING_SETTINGS = {"kind", "levels", "groups", "kernel_size", "expansion"}
"""Of bottlenecks: those that tensors and streams alone do not tell."""
_LEARNING_ONLY = (".sums", ".counts")  # codebooks' moving averages: of use in training alone


@dataclass
class Checkpoint:
    """A model ready for use.

    Attributes:
        model: in evaluation mode, float32, on the CPU.
        fingerprint: 12 hexadecimal digits.
        silence: the code of digital silence in each stream.
        name: the file's stem.
        training: how it was trained, where known.
        decoder_version: see :class:`vqaudio.registry.Decoder`.
    """

    model: Autoencoder
    fingerprint: str
    silence: list[int]
    name: str
    training: dict[str, Any]
    decoder_version: int | None = None


def save(
    model: Autoencoder,
    path: str | Path,
    *,
    training: dict[str, Any] | None = None,
    codes_of: Checkpoint | None = None,
    decoder_version: int | None = None,
) -> None:
    """Write a model's weights as float16, with its config, atomically.

    ``codes_of`` is a model with the same bottleneck, whose codes this one makes and decodes too, with another encoder
    or decoder, or without an encoder: it gets that one's fingerprint, so that files of either are decoded by both.
    ``decoder_version`` tells it from other shipped decoders of these codes.
    """
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in model.state_dict().items()
        if not name.endswith(_LEARNING_ONLY)
    }
    rounded = _build(model.config, tensors, model.decode_only)
    metadata = {
        "config": dump_json(model.config),
        "meaning": _meaning(model),
        "silence": json.dumps(codes_of.silence if codes_of else silence_codes(rounded)),
        "training": json.dumps(training or {}, sort_keys=True),
    }
    if codes_of is not None:
        metadata["codes"] = codes_of.fingerprint
    if decoder_version is not None:
        metadata["decoder_version"] = str(decoder_version)
    if model.decode_only:
        metadata["decode_only"] = "true"
    with atomic_write(Path(path)) as file:
        file.write(to_bytes({stored_name(name): tensor for name, tensor in tensors.items()}, metadata=metadata))


def _meaning(model: Autoencoder) -> str:
    """What codes depend on beside the bottleneck's tensors, as JSON."""
    settings = model.config.bottleneck.model_dump(mode="json", include=DECODING_SETTINGS)
    frames = {"sample_rate": model.config.sample_rate, "hop_length": model.config.hop_length}
    streams = [[stream.alphabet, stream.stride] for stream in model.bottleneck.streams]
    return json.dumps({**frames, "streams": streams, "bottleneck": settings}, sort_keys=True)


def load(name_or_path: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a shipped model by name, or any checkpoint by path.

    Raises:
        ModelError: no such model, not a safetensors file, or what in it does not fit together.
    """
    return built(read_model(name_or_path), device)


def built(stored: StoredModel, device: str | torch.device = "cpu") -> Checkpoint:
    """The model that a file holds.

    Raises:
        ModelError: its tensors do not fit its config.
    """
    tensors = {name: torch.from_numpy(tensor) for name, tensor in stored.tensors.items()}
    try:
        model = _build(stored.config, tensors, stored.decode_only)
    except RuntimeError as error:
        reason = re.sub(r"[\w.]+", lambda found: stored_name(found[0]), str(error).splitlines()[-1].strip())
        raise stored.misfit(reason) from None
    return Checkpoint(
        model.to(device), stored.fingerprint, stored.silence, stored.name, stored.training, stored.decoder_version
    )


def without_encoder(source: Checkpoint) -> Autoencoder:
    """What is left of a model to decode with."""
    model = Autoencoder(source.model.config, decode_only=True)
    kept = model.state_dict().keys()
    model.load_state_dict({name: value for name, value in source.model.state_dict().items() if name in kept})
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def silence_codes(model: Autoencoder) -> list[int]:
    """The code of digital silence in each stream, far from any edge."""
    step = math.lcm(*(stream.stride for stream in model.bottleneck.streams))
    frames = (2 * model.encoder_context // step + 3) * step
    tokens = model.encode(torch.zeros(1, 1, frames * model.config.hop_length))
    return [int(stream[0, stream.shape[1] // 2]) for stream in tokens]


def _build(config: ModelConfig, tensors: dict[str, Tensor], decode_only: bool) -> Autoencoder:
    """A float32 model in evaluation mode from stored tensors; codebooks' averages start anew from their embeddings."""
    model = Autoencoder(config, decode_only=decode_only)
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    absent = {name: tensor for name, tensor in model.state_dict().items() if name.endswith(_LEARNING_ONLY)}
    for name in absent:
        embedding = name.removesuffix(".sums") + ".embedding"
        if name.endswith(".sums") and embedding in floats:
            absent[name] = floats[embedding]  # counts start at one, so this is what keeps the embeddings in place
    model.load_state_dict(absent | floats)
    model.eval()
    return model.requires_grad_(False)
