"""Embeddings, and which of them are nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqaudio.inference.base import Floats, Tokens

Indices = NDArray[np.intp]

GROUP = 32
"""Candidates whose smallest is looked for at once."""
BLOCK = 2**20
"""Distances that are made at once, which bounds memory: 4 MB of them."""


class Codebook:
    """Embeddings ``(K, D)``, ready to be searched.

    ``||z||² - 2 z·e + ||e||²`` is one product of ``(-2z, ||z||², 1)`` and ``(e, 1, ||e||²)``.
    """

    def __init__(self, embedding: Floats):
        self.embedding = embedding
        ones = np.ones((len(embedding), 1), np.float32)
        self.factor = np.ascontiguousarray(np.concatenate([embedding, ones, squares(embedding)[:, None]], 1).T)
        self.costs_nothing = (embedding == 0).all(1)

    def assign(self, vectors: Floats) -> Tokens:
        """``(n, D)`` vectors to the index ``(n,)`` of the nearest embedding."""
        left, size = left_factor(vectors), len(self.embedding)
        rows = max(1, BLOCK // size)
        memory = np.empty((min(rows, len(left)), size), np.float32)
        codes = np.empty(len(left), np.int64)
        for at in range(0, len(left), rows):
            part = left[at : at + rows]
            distances = np.matmul(part, self.factor, out=memory[: len(part)])
            codes[at : at + rows] = distances.argmin(1)
        return codes


def left_factor(vectors: Floats) -> Floats:
    """``(n, D)`` vectors to what a codebook's ``factor`` is multiplied by: ``(n, D + 2)``."""
    made = np.empty((len(vectors), vectors.shape[1] + 2), np.float32)
    np.multiply(vectors, np.float32(-2.0), out=made[:, :-2])
    made[:, -2] = squares(vectors)
    made[:, -1] = 1.0
    return made


def nearest(distances: Floats, count: int, *, group: int = GROUP) -> Indices:
    """Indices ``(n, count)`` of small values in each row of ``(n, candidates)``, the smallest first.

    The first is the smallest of all; the others are the smallest of other groups of candidates, as in the torch
    module's ``vqaudio.model.bottleneck.codebook.nearest``. Where there are few candidates it is the smallest.
    """
    rows, candidates = distances.shape
    if count == 1:
        return np.asarray(distances.argmin(1))[:, None]
    if candidates % group or candidates < count * group:
        return np.argsort(distances, axis=1, kind="stable")[:, :count]
    grouped = distances.reshape(rows, group, -1)
    least = grouped[:, 0].copy()
    for member in range(1, group):  # quicker than a minimum over the axis
        np.minimum(least, grouped[:, member], out=least)
    every = np.arange(rows)
    groups = np.empty((rows, count), np.intp)
    for place in range(count):
        groups[:, place] = chosen = least.argmin(1)
        least[every, chosen] = np.inf
    members: Indices = grouped[every[:, None], :, groups].argmin(2)
    return members * grouped.shape[2] + groups


def squares(vectors: Floats) -> Floats:
    """``(n, D)`` to ``||z||²``: ``(n,)``."""
    summed: Floats = np.einsum("nd,nd->n", vectors, vectors)
    return summed


def to_vectors(features: Floats) -> Floats:
    """``(batch, D, frames)`` to float32 ``(batch * frames, D)``."""
    return np.ascontiguousarray(features.transpose(0, 2, 1), np.float32).reshape(-1, features.shape[1])


def to_latents(vectors: Floats) -> Floats:
    """``(batch, frames, D)`` to ``(batch, D, frames)``."""
    return np.ascontiguousarray(vectors.transpose(0, 2, 1))
