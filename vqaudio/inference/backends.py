"""What can run a model's networks. A backend is imported when it is chosen: each brings a large package along."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vqaudio.errors import ModelError, choice, install

if TYPE_CHECKING:
    from vqaudio.inference.base import Networks
    from vqaudio.inference.stored import StoredModel

_TORCH = "vqaudio.model.torch_networks"
BACKENDS = {"torch": _TORCH}
"""Modules by the names of backends; each has ``load_networks(stored, device)``."""


def load_networks(stored: StoredModel, *, device: str = "cpu", backend: str | None = None) -> Networks:
    """The networks that a file holds, on a device, in a backend: torch by default.

    Raises:
        ModelError: no such backend, one that is not installed, a device that it cannot use, or tensors that do not fit
            the config.
    """
    chosen = backend or "torch"
    if chosen not in BACKENDS:
        raise ModelError(f"backend {chosen!r} is not known; {choice(chosen, list(BACKENDS))}")
    networks: Networks = _imported(BACKENDS[chosen]).load_networks(stored, device)
    return networks


def torch_module(networks: Networks, stored: StoredModel) -> Any:
    """The :class:`vqaudio.model.autoencoder.Autoencoder` behind networks, or the one that their file holds.

    Raises:
        ModelError: torch is not installed.
    """
    return _imported(_TORCH).module_of(networks, stored)


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError(f"torch is needed here and not installed: {install('torch')}") from None
