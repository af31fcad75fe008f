"""Resume state: one safetensors file with every tensor, and JSON in its metadata for all the rest. No pickle."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from vqaudio.errors import ModelError
from vqaudio.files import atomic_write


def save_state(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    numbers: dict[str, Any],
) -> None:
    """Write modules, optimisers and numbers atomically: a kill at any moment leaves the old file or the new one."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        for key, tensor in module.state_dict().items():
            tensors[f"{name}/{key}"] = tensor
    for name, optimizer in optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"{name}/{index}/{key}"] = torch.as_tensor(value)
    cpu = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_write(Path(path)) as file:
        file.write(to_bytes(cpu, metadata={"numbers": json.dumps(numbers)}))


def load_state(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    optional: Collection[str] = (),
) -> tuple[dict[str, Any], set[str]]:
    """Fill modules and optimisers from a file of :func:`save_state`; returns the numbers, and the names that were new.

    What is named in ``optional`` may be new: where the file has nothing of it, it stays as it is.

    Raises:
        ModelError: the file cannot be read, or was written by a run with another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            numbers: dict[str, Any] = json.loads(file.metadata()["numbers"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: cannot be resumed from ({error}); delete it to start anew") from None
    new = {name for name in optional if not _under(tensors, name)}
    for name, module in modules.items():
        if name in new:
            continue
        try:
            module.load_state_dict(_under(tensors, name))
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise ModelError(
                f"{path}: was written by a run with another {name} ({reason}); use that run's config, or another `out`"
            ) from None
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        state["state"] = {}
        for key, tensor in _under(tensors, name).items():
            index, field = key.split("/")
            state["state"].setdefault(int(index), {})[field] = tensor
        optimizer.load_state_dict(state)
    return numbers, new


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key[len(prefix) :]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
