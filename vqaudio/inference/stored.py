"""Models on disk: float16 safetensors with the config embedded. No pickle, no code in files.

The metadata of a model's file hold ``config`` (JSON), ``meaning`` (JSON: what codes depend on beside the bottleneck's
tensors), ``silence`` (the codes of digital silence, one per stream), where known ``training`` (how it came to be),
``codes`` where it makes those of another model, whose fingerprint that is (see :mod:`vqaudio.registry`),
``decoder_version`` where it was shipped, and ``decode_only`` where its encoder was left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.errors import ConfigError, ModelError
from vqaudio.registry import decoder_version, find, fingerprint, version_of

_BEFORE_0_2 = {"activation": "gelu_tanh"}  # what a config without the key meant
_RENAMED = (
    ("bottleneck.", ".embedding", ".entries"),
    ("decoder.", ".speaker_embedding.weight", ".voices.weight"),
)
"""Tensors by part: how their names end in a module, and how in files, where they stay: fingerprints hang on them."""


@dataclass(frozen=True)
class StoredModel:
    """A model's file, read.

    Attributes:
        path: of the file.
        config: the model's settings.
        tensors: the weights by their names in the model, as they are stored: float16 and integers.
        fingerprint: 12 hexadecimal digits, see :mod:`vqaudio.registry`.
        silence: the code of digital silence in each stream.
        training: how it was trained, where known.
        decoder_version: see :class:`vqaudio.registry.Decoder`.
        decode_only: whether its encoder was left out.
    """

    path: Path
    config: ModelConfig
    tensors: dict[str, NDArray[Any]]
    fingerprint: str
    silence: list[int]
    training: dict[str, Any]
    decoder_version: int | None = None
    decode_only: bool = False

    @property
    def name(self) -> str:
        """The file's stem."""
        return self.path.stem

    def floats(self) -> dict[str, NDArray[Any]]:
        """The tensors in the precision that networks are run in: float32, and integers as they are."""
        return {
            name: tensor.astype(np.float32) if tensor.dtype.kind == "f" else tensor
            for name, tensor in self.tensors.items()
        }

    def misfit(self, reason: str) -> ModelError:
        """The error where tensors and config do not belong together."""
        return ModelError(f"{self.path}: tensors do not fit the embedded config ({reason}); the file is damaged")


def read_model(name_or_path: str | Path) -> StoredModel:
    """Read a shipped model by name, or any by path.

    Raises:
        ModelError: no such model, not a safetensors file, or no model of ours.
    """
    path = find(name_or_path)
    version, mark = version_of(path), fingerprint(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {own_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: types that numpy lacks
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
    alphabets = [alphabet for alphabet, _ in config.bottleneck.streams]
    if not _are_codes(silence, alphabets):
        raise ModelError(
            f"{path}: its silence codes do not fit the bottleneck's {len(alphabets)} streams; the file is damaged"
        )
    number = decoder_version(metadata, path)
    return StoredModel(path, config, tensors, mark, silence, training, number, "decode_only" in metadata)


def stored_name(name: str) -> str:
    """The name in a file of a model's tensor."""
    return _renamed(name, [(part, own, stored) for part, own, stored in _RENAMED])


def own_name(name: str) -> str:
    """The reverse of :func:`stored_name`."""
    return _renamed(name, [(part, stored, own) for part, own, stored in _RENAMED])


def _renamed(name: str, endings: list[tuple[str, str, str]]) -> str:
    for part, old, new in endings:
        if name.startswith(part) and name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _are_codes(value: Any, alphabets: list[int]) -> bool:
    """Whether ``value`` is a list of one code for each alphabet size."""
    if not isinstance(value, list) or len(value) != len(alphabets):
        return False
    return all(type(code) is int and 0 <= code < size for code, size in zip(value, alphabets, strict=True))
