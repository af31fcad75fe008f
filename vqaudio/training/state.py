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

_TENSOR = "tensor"  # stands for one in the JSON, with its name


def save_state(
    path: Path,
    modules: Mapping[str, nn.Module],
    *,
    optimizers: Mapping[str, torch.optim.Optimizer],
    numbers: dict[str, Any],
) -> None:
    """Write modules, optimisers and numbers atomically: a kill at any moment leaves the old file or the new one."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        for key, tensor in module.state_dict().items():
            tensors[f"{name}/{key}"] = tensor
    states = {name: _detach(optimizer.state_dict(), name, tensors) for name, optimizer in optimizers.items()}
    metadata = {"numbers": json.dumps(numbers), "optimizers": json.dumps(states)}
    with atomic_write(Path(path)) as file:
        file.write(to_bytes(_apart(tensors), metadata=metadata))


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU as a file can hold them; copied only where two of them share memory."""
    made: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, tensor in tensors.items():
        here = tensor.detach().cpu().contiguous()
        place = here.untyped_storage().data_ptr()
        made[name] = here.clone() if place in taken else here
        taken.add(place)
    return made


def load_state(
    path: Path,
    modules: Mapping[str, nn.Module],
    *,
    optimizers: Mapping[str, torch.optim.Optimizer],
    optional: Collection[str] = (),
) -> tuple[dict[str, Any], set[str]]:
    """Fill modules and optimisers from a file of :func:`save_state`; returns the numbers, and the names that were new.

    What is named in ``optional`` may be new: where the file has nothing of it, it stays as it is.

    Raises:
        ModelError: the file cannot be read, or was written by a run with another model or optimiser.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            numbers: dict[str, Any] = json.loads(metadata["numbers"])
            states = json.loads(metadata["optimizers"])
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
        if name in states:
            _fill(optimizer, _attach(states[name], tensors), path)
    return numbers, new


def _detach(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """What JSON can hold of nested dictionaries and lists: each tensor moves to ``tensors``, its name stays."""
    if isinstance(value, Tensor):
        tensors[path] = value
        return {_TENSOR: path}
    if isinstance(value, dict):
        return {key: _detach(item, f"{path}/{key}", tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_detach(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
    return value


def _attach(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The reverse of :func:`_detach`, with dictionaries' keys and tuples as JSON gives them: as strings and lists."""
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {key: _attach(item, tensors) for key, item in value.items()}
    return [_attach(item, tensors) for item in value] if isinstance(value, list) else value


def _fill(optimizer: torch.optim.Optimizer, state: dict[str, Any], path: Path) -> None:
    """Load an optimiser's state, which must come from an optimiser of the same kind."""
    if not all(key in state["param_groups"][0] for key in optimizer.param_groups[0] if key != "params"):
        raise ModelError(
            f"{path}: was written by a run with another optimizer; use that run's config, or another `out`"
        )
    for saved, own in zip(state["param_groups"], optimizer.param_groups, strict=False):
        settings = [key for key, value in saved.items() if isinstance(value, list) and key in own and key != "params"]
        saved |= {key: own[key] for key in settings}  # from the config: some optimisers tell tuples from lists
    state["state"] = {int(index): values for index, values in state["state"].items()}
    optimizer.load_state_dict(state)


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key[len(prefix) :]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
