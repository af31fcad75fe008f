"""Models on disk: float16 safetensors with the config embedded. No pickle, no code in files.

The metadata of a checkpoint holds ``config`` (JSON), ``meaning`` (JSON: what codes depend on beside the bottleneck's
tensors), ``silence`` (the codes of digital silence, one per stream), where known ``training`` (how it came to be),
``codes`` where it makes those of another model, whose fingerprint that is (see :mod:`vqaudio.registry`),
``decoder_version`` where it was shipped, and ``decode_only`` where its encoder was left out.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import dump_json, parse
from vqaudio.errors import ConfigError, ModelError
from vqaudio.files import atomic_write
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.registry import decoder_version, find, fingerprint, version_of

_BEFORE_0_2 = {"activation": "gelu_tanh"}  # what a config without the key meant
DECODING_SETTINGS = {"kind", "levels", "groups", "kernel_size", "expansion"}
"""Of bottlenecks: those that tensors and streams alone do not tell."""
_LEARNING_ONLY = (".sums", ".counts")  # codebooks' moving averages: of use in training alone
_RENAMED = (
    ("bottleneck.", ".embedding", ".entries"),
    ("decoder.", ".speaker_embedding.weight", ".voices.weight"),
)
"""Tensors by part: how their names end in a module, and how in files, where they stay: fingerprints hang on them."""


def stored_name(name: str) -> str:
    """The name in a file of a model's tensor."""
    return _renamed(name, [(part, own, stored) for part, own, stored in _RENAMED])


def _own_name(name: str) -> str:
    """The reverse of :func:`stored_name`."""
    return _renamed(name, [(part, stored, own) for part, own, stored in _RENAMED])


def _renamed(name: str, endings: list[tuple[str, str, str]]) -> str:
    for part, old, new in endings:
        if name.startswith(part) and name.endswith(old):
            return name.removesuffix(old) + new
    return name


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
    path = find(name_or_path)
    version, name = version_of(path), fingerprint(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {_own_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is not a readable safetensors file ({error})") from None
    if version_of(path) != version:
        raise ModelError(f"{path}: was replaced while it was read; try again")
    try:
        described = json.loads(metadata["config"])
        if isinstance(described, dict):
            described = _BEFORE_0_2 | described
        config = parse(ModelConfig, described, source=str(path))
        silence = json.loads(metadata["silence"])
        training = json.loads(metadata.get("training", "{}"))
    except (KeyError, ValueError, RecursionError, ConfigError) as error:
        raise ModelError(f"{path}: holds no vqaudio config ({error}); train one with python -m vqaudio.train") from None
    try:
        model = _build(config, tensors, "decode_only" in metadata)
    except RuntimeError as error:
        reason = re.sub(r"[\w.]+", lambda found: stored_name(found[0]), str(error).splitlines()[-1].strip())
        raise ModelError(f"{path}: tensors do not fit the embedded config ({reason}); the file is damaged") from None
    alphabets = [stream.alphabet for stream in model.bottleneck.streams]
    if not _are_codes(silence, alphabets):
        raise ModelError(
            f"{path}: its silence codes do not fit the bottleneck's {len(alphabets)} streams; the file is damaged"
        )
    return Checkpoint(model.to(device), name, silence, path.stem, training, decoder_version(metadata, path))


def without_encoder(source: Checkpoint) -> Autoencoder:
    """What is left of a model to decode with."""
    model = Autoencoder(source.model.config, decode_only=True)
    kept = model.state_dict().keys()
    model.load_state_dict({name: value for name, value in source.model.state_dict().items() if name in kept})
    return model.eval().requires_grad_(False)


def _are_codes(value: Any, alphabets: list[int]) -> bool:
    """Whether ``value`` is a list of one code for each alphabet size."""
    if not isinstance(value, list) or len(value) != len(alphabets):
        return False
    return all(type(code) is int and 0 <= code < size for code, size in zip(value, alphabets, strict=True))


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
