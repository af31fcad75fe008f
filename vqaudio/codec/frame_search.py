"""A beam over the codebooks of one frame, for many sequences side by side.

All that is compared is in nats: a squared distance is divided by what a nat is worth. Sequences have paths of their
own, fewer or more; a row of what is computed is a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqaudio.codec.costs import CodeCosts
from vqaudio.inference.base import Floats, Tokens
from vqaudio.inference.products import product

Indices = NDArray[np.intp]

GROUP = 32
"""Codes of which only the one that costs least is compared with those of other groups."""
WIDE = range(1, 4)
"""Streams behind which the beam is as wide as it gets. Half of it costs others nothing: few codes of the first stream
lead far, and late ones change little."""


@dataclass
class _Paths:
    """The ways to go on, those of a sequence side by side.

    Attributes:
        table: which rows are each sequence's: ``(batch, most paths of a sequence)``, 0 where there are no more.
        sequences: which sequence each row is of, ``(rows,)``.
        residuals: what is left of the features, ``(rows, D)``.
        prefix: sums of the prior's embeddings of codes so far, ``(rows, code_dim)``.
        spent: nats, ``(rows,)``.
    """

    table: Indices
    sequences: Indices
    residuals: Floats
    prefix: Floats
    spent: Floats


class FrameSearch:
    """Goes along so many sequences, frame by frame, with memory for what is compared.

    Args:
        codebooks: ``(alphabet, D)`` each, whose embeddings add up to latents.
        costs: what their codes cost.
        batch: sequences.
        beam_width: paths that are kept of a sequence, at most: half as many behind streams that are not ``WIDE``.
    """

    def __init__(self, codebooks: Sequence[Floats], costs: CodeCosts, *, batch: int, beam_width: int):
        self.codebooks, self.costs = codebooks, costs
        self.widths = [beam_width if stream in WIDE else -(-beam_width // 2) for stream in range(len(codebooks))]
        self.widths[-1] = 1  # the best is what is wanted
        self.factors = [np.concatenate([book, np.square(book).sum(1)[:, None]], 1).T.copy() for book in codebooks]
        self.stepper = costs.begin(batch)
        self.batch = np.arange(batch)
        self.memory = np.empty((2, batch * beam_width * max(map(len, codebooks))), np.float32)

    def __call__(self, vectors: Floats, worth: Floats) -> tuple[Tokens, Floats]:
        """The codes ``(streams, batch)`` of one frame and their nats; the prior goes on by it.

        Args:
            vectors: ``(batch, D)``.
            worth: squared distance per nat, above 0, ``(batch,)``.
        """
        batch, share = self.batch, 1.0 / worth
        prefix = np.zeros((len(batch), self.costs.embeddings[0].shape[1]), np.float32)
        paths = _Paths(batch[:, None], batch, vectors, prefix, np.zeros(len(batch), np.float32))
        chosen = []
        for stream, codebook in enumerate(self.codebooks):
            last = stream + 1 == len(self.codebooks)
            costs, logits, base = self._compared(stream, paths, share)
            rows, codes, found = smallest(costs, base, paths.table, count=self.widths[stream])
            kept = found < np.inf
            row, code = rows[kept], codes[kept]
            counts = kept.sum(1)
            paths = _Paths(
                _table(counts),
                batch.repeat(counts),
                paths.residuals if last else paths.residuals[row] - codebook[code],
                paths.prefix[row] + self.costs.embeddings[stream][code],
                paths.spent[row] - logits[row, code],
            )
            chosen.append((row, code))
        self.stepper.advance(paths.prefix)
        return _traced(chosen), paths.spent

    def _compared(self, stream: int, paths: _Paths, share: Floats) -> tuple[Floats, Floats, Floats]:
        """What each code of a stream costs less what its path does, ``(rows, alphabet)``; logits; and what paths do."""
        shape = len(paths.sequences), len(self.codebooks[stream])
        logits, costs = (part[: shape[0] * shape[1]].reshape(shape) for part in self.memory)
        _, totals = self.stepper.logits(stream, paths.prefix, sequences=paths.sequences, out=logits, memory=costs)
        paths.spent = paths.spent + totals
        shares = share[paths.sequences]
        left = np.empty((shape[0], paths.residuals.shape[1] + 1), np.float32)
        np.multiply(paths.residuals, (-2.0 * shares)[:, None], out=left[:, :-1])
        left[:, -1] = shares
        product(left, self.factors[stream], out=costs)
        costs -= logits
        base = np.einsum("nd,nd->n", paths.residuals, paths.residuals)
        base *= shares
        base += paths.spent
        return costs, logits, base


def smallest(values: Floats, base: Floats, table: Indices, *, count: int) -> tuple[Indices, Tokens, Floats]:
    """The ``count`` smallest of ``values + base`` in each sequence, in any order.

    Only groups whose minima are among the smallest are looked at more closely, each of members that are far apart, so
    that minima are taken over whole rows of memory.

    Args:
        values: ``(rows, width)``.
        base: of whole rows, ``(rows,)``.
        table: which rows are each sequence's, as in :class:`_Paths`.
        count: how many.

    Returns:
        Rows, columns and sums, ``(batch, count)`` each; infinite sums, or fewer, where there are not as many.
    """
    every, width = np.arange(len(table))[:, None], values.shape[1]
    bases = base[table]
    bases[:, 1:][table[:, 1:] == 0] = np.inf
    if count == 1:
        columns = values.argmin(1)
        best = (values[np.arange(len(values)), columns][table] + bases).argmin(1)[:, None]
        rows = table[every, best]
        return rows, columns[rows], values[rows, columns[rows]] + base[rows]
    least, n_groups = values, width
    while n_groups % 2 == 0 and n_groups > GROUP:
        n_groups //= 2
        least = np.minimum(least[:, :n_groups], least[:, n_groups:])
    summed = (least[table] + bases[..., None]).reshape(len(table), -1)
    path, group = np.divmod(_first(summed, count), n_groups)
    rows, members = table[every, path], group[..., None] + np.arange(0, width, n_groups)
    sums = values.take(rows[..., None] * width + members)
    sums += bases[every, path][..., None]
    sums = sums.reshape(len(table), -1)
    best = _first(sums, count)
    return rows[every, best // members.shape[2]], members.reshape(len(table), -1)[every, best], sums[every, best]


def _first(values: Floats, count: int) -> Indices:
    """Where the ``count`` smallest of each row are, in any order."""
    if count >= values.shape[1]:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(values, count - 1, axis=1)[:, :count]


def _table(counts: Indices) -> Indices:
    """Which rows are each sequence's where these have so many: ``(batch, most)``, 0 where there are no more."""
    ends, most = counts.cumsum(), counts.max()
    if ends[-1] == len(counts) * most:
        return np.arange(ends[-1]).reshape(len(counts), most)
    places = np.arange(most)
    return np.where(places < counts[:, None], (ends - counts)[:, None] + places, 0)


def _traced(chosen: Sequence[tuple[Indices, Tokens]]) -> Tokens:
    """The codes ``(streams, batch)`` of the paths that are left, from each stream's rows before and codes."""
    codes = []
    row = np.arange(len(chosen[-1][0]))
    for before, code in reversed(chosen):
        codes.append(code[row])
        row = before[row]
    return np.stack(codes[::-1])
