"""A small network that knows how likely tokens are, in arithmetic that has only one result, and its file.

Two hidden layers with rectifiers, from the context features of a row (:mod:`vqaudio.series.coding.context_features`) to
a logit for each token. Weights and activations are int8, held in float32 where their sums are exact, as
:mod:`vqaudio.intnet.linear` explains; so the same row has the same intervals on every machine. ``recipes/timeseries``
trains such networks. No torch here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vqaudio.errors import ModelError, choice
from vqaudio.intnet.grids import INT8, LOGIT
from vqaudio.intnet.linear import Int8Linear
from vqaudio.intnet.softmax import Softmax
from vqaudio.registry import MODELS, Version, fingerprint, fingerprint_of, version_of
from vqaudio.series.coding.adaptive import ALPHABET
from vqaudio.series.coding.context_features import N_FEATURES

KIND = "series model"
"""What the files say they hold."""
LAYERS = ("first", "second", "logits")
SHIPPED = MODELS / "series"
DEFAULT = SHIPPED / "series-base.safetensors"
OUTPUTS_AT_ONCE = 32
"""What the kernel computes together; layers are filled up with zeros."""


class Model:
    """A trained model.

    Args:
        tensors: of each layer ``weight`` int8 ``(outputs, inputs)``, ``bias`` int32 and ``shift`` int8 ``(outputs,)``;
            ``exp``, weights of differences of logits.
        fingerprint: of its file; stands in the files that it wrote.

    Raises:
        ValueError: tensors that do not fit together, or sums that float32 may not hold exactly.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], fingerprint: str):
        self.fingerprint = fingerprint
        layers = [Int8Linear(tensors, name, limit) for name, limit in zip(LAYERS, (INT8, INT8, LOGIT[1]), strict=True)]
        shapes = [layer.weight.shape for layer in layers]
        if shapes[0][0] != N_FEATURES or shapes[-1][1] != ALPHABET:
            raise ValueError(f"it goes from {shapes[0][0]} to {shapes[-1][1]}, expected {N_FEATURES} to {ALPHABET}")
        if any(one[1] != other[0] for one, other in pairwise(shapes)):
            raise ValueError(f"its layers are of {shapes} weights, which do not follow each other")
        self.packed = _packed(layers, Softmax(tensors["exp"]))


@dataclass(frozen=True)
class Packed:
    """A network as its kernel takes it (``kernels/network.h``).

    Args:
        arrays: of each layer weights int16 ``(pairs of inputs, outputs, 2)``, biases int32 and scales float32
            ``(outputs,)``; weights of differences of logits, float64.
        n_first: outputs of the first layer, a multiple of ``OUTPUTS_AT_ONCE``, as are
        n_second: those of the second.
        n_exp: differences.
    """

    arrays: Sequence[NDArray[Any]]
    n_first: int
    n_second: int
    n_exp: int

    @property
    def n_hidden(self) -> int:
        """Outputs of both hidden layers."""
        return self.n_first + self.n_second


def _packed(layers: Sequence[Int8Linear], softmax: Softmax) -> Packed:
    arrays: list[NDArray[Any]] = []
    widths = [N_FEATURES + N_FEATURES % 2]
    for layer in layers:
        n_inputs, n_outputs = layer.weight.shape
        widths.append(-(-n_outputs // OUTPUTS_AT_ONCE) * OUTPUTS_AT_ONCE)
        weights = np.zeros(widths[-2:], np.int16)
        weights[:n_inputs, :n_outputs] = layer.weight
        arrays.append(weights.reshape(-1, 2, widths[-1]).transpose(0, 2, 1))
        for numbers, dtype in ((layer.bias, np.int32), (layer.scale, np.float32)):
            arrays.append(np.zeros(widths[-1], dtype))
            arrays[-1][:n_outputs] = numbers
    return Packed([*arrays, softmax.exp.astype(np.float64)], widths[1], widths[2], len(softmax.exp))


def load(path: Path) -> Model:
    """Read a model's file.

    Raises:
        ModelError: not such a file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = json.loads((file.metadata() or {}).get("config", "{}")).get("kind")
            if found != KIND:
                raise ValueError(f"its kind is {found}, expected {KIND}")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
            return Model(tensors, fingerprint_of(file, path))
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(f"{path}: is not a readable model of time series ({error})") from None


def model_for(name: str | None) -> Model | None:
    """What a table is compressed with: a named model; without a name, none, since mixing makes smaller files.

    Raises:
        ModelError: as :func:`model_named` does.
    """
    return None if name is None else model_named(name)


@lru_cache(8)
def _loaded(version: Version) -> Model:
    """A model, read once for each version of its file."""
    return load(version.path)


def model_named(name: str | None) -> Model | None:
    """The model of a name, or in a file; without a name, the shipped one if there is one; of ``none``, none.

    Raises:
        ModelError: no such model, or not a readable one.
    """
    if name == "none" or (name is None and not DEFAULT.is_file()):
        return None
    path = DEFAULT if name is None else SHIPPED / f"{name}.safetensors"
    if path.is_file():
        return _loaded(version_of(path))
    if not Path(str(name)).is_file():
        names = choice(str(name), [path.stem for path in _all_shipped()])
        raise ModelError(f"{name}: no such model of time series, and no file; {names}")
    return load(Path(str(name)))


def find_model(wanted: str, given: Model | None) -> Model:
    """The model with a fingerprint: the one that was given, or one that is shipped.

    Raises:
        ModelError: neither.
    """
    if given is not None and given.fingerprint == wanted:
        return given
    for path in _all_shipped():
        if fingerprint(path) == wanted and (found := _loaded(version_of(path))).fingerprint == wanted:
            return found
    other = f" and is not the one given ({given.fingerprint})" if given else ""
    raise ModelError(
        f"was written by the series model {wanted}, which is not shipped here{other}: give its file with --model"
    )


def _all_shipped() -> list[Path]:
    return sorted(SHIPPED.glob("*.safetensors"))
