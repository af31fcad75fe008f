"""vqaudio: a codec and generator for audio, built on the VQ-VAE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqaudio.codec.codec import load as load

__version__ = "0.6.0"  # the one place: pyproject.toml reads it here


def __getattr__(name: str) -> Any:
    if name == "load":
        from vqaudio.codec.codec import load

        return load
    raise AttributeError(f"module 'vqaudio' has no attribute {name!r}")
