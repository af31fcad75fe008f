"""What can run a model's networks. A backend is imported when it is chosen: each brings a large package along."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vqaudio.errors import ModelError, choice, install

if TYPE_CHECKING:
    from vqaudio.inference.base import Networks
    from vqaudio.inference.stored import StoredModel

BACKENDS = ("onnx", "torch")
PRECISIONS = ("float32", "bf16")
"""Of an encoder's products."""
_TORCH = "vqaudio.model.torch_networks"
"""By its name: rooms that do without torch import no module that needs it."""


def load_networks(
    stored: StoredModel, *, device: str = "cpu", backend: str | None = None, precision: str = "float32"
) -> Networks:
    """The networks that a file holds, on a device: run by ``onnx`` on the CPU, by ``torch`` elsewhere, or as asked.

    ``precision`` is one of ``PRECISIONS``; bf16 needs torch, which then runs them.

    Raises:
        ModelError: no such backend or precision, one that is not installed, a device or a precision that it cannot use,
            or tensors that do not fit the config.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"precision {precision!r} is not known; {choice(precision, PRECISIONS)}")
    chosen = backend or ("onnx" if device == "cpu" and precision == "float32" else "torch")
    if chosen not in BACKENDS:
        raise ModelError(f"backend {chosen!r} is not known; {choice(chosen, BACKENDS)}")
    if chosen == "onnx":
        if precision != "float32":
            raise ModelError(f"precision {precision} cannot be used by the backend onnx: use the backend torch")
        if device != "cpu":
            raise ModelError(f"device {device!r} cannot be used by the backend onnx: use cpu, or the backend torch")
        from vqaudio.inference.onnx_networks import OnnxNetworks  # late: who asks for torch does without

        return OnnxNetworks(stored)
    networks: Networks = _torch().load_networks(stored, device, precision)
    return networks


def torch_module(networks: Networks, stored: StoredModel) -> Any:
    """The :class:`vqaudio.model.autoencoder.Autoencoder` behind networks, or the one that their file holds.

    Raises:
        ModelError: torch is not installed, or the file's tensors do not fit its config.
    """
    return _torch().module_of(networks, stored)


def _torch() -> Any:
    try:
        return import_module(_TORCH)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError(f"torch is needed here and not installed: {install('torch')}") from None
