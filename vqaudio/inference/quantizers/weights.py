"""A model's tensors, looked up by name, and refused where they are not what its config says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.inference.base import Floats
from vqaudio.inference.stored import stored_name


class Weights:
    """The tensors under a prefix, as float32.

    Args:
        tensors: a model's, by their names in the torch module.
        prefix: what all names begin with here, with its dot at the end.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]], prefix: str):
        self.tensors, self.prefix = tensors, prefix

    def within(self, name: str) -> Weights:
        """Those of a part."""
        return Weights(self.tensors, f"{self.prefix}{name}.")

    def get(self, name: str, *shape: int) -> Floats:
        """The tensor of that name.

        Raises:
            ValueError: it is missing, or its shape is another.
        """
        name = self.prefix + name
        if name not in self.tensors:
            raise ValueError(f"tensor {stored_name(name)} is missing")
        tensor = self.tensors[name]
        if tensor.shape != shape:
            raise ValueError(f"tensor {stored_name(name)} has shape {tensor.shape}, expected {shape}")
        return np.ascontiguousarray(tensor, np.float32)
