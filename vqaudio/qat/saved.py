"""Networks that are trained further, read from their files: what all kinds of them have in common."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

UNREADABLE = (SafetensorError, OSError, AttributeError, KeyError, ValueError, TypeError, RuntimeError)
"""What :func:`read_tensors`, and whoever makes a network of what it gives, may raise for a file that is none."""


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file whose ``kind`` this is; errors as ``UNREADABLE`` lists."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    if metadata.get("kind") != kind:
        raise ValueError(f"its kind is {metadata.get('kind')}, expected {kind}")
    return tensors, metadata
