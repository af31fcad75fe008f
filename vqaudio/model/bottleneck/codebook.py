"""A codebook: K embeddings, what is assigned to them, and how they learn.

Source: van den Oord et al., "Neural Discrete Representation Learning" (VQ-VAE), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional

from vqaudio.config.bottleneck import CodebookConfig
from vqaudio.model.layers import at_least_float32, full_precision


class Codebook(nn.Module):
    """K vectors ``e_k`` of D dimensions, learned from what is assigned to them.

    With ``update="ema"`` (appendix A.1 of the paper) each ``e_k`` is the ratio of two moving averages: the sum of the
    vectors assigned to it, and their number. With ``update="loss"`` they are parameters pulled by
    ``||sg(z_e) - e||²`` (eq. 3, second term). Either way, codes that are hardly used are moved onto vectors of the
    current batch. Under DDP, sums, counts and seeds are shared, so that all processes keep equal codebooks.
    """

    embedding: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, config: CodebookConfig, dim: int):
        super().__init__()
        size = config.codebook_size
        self.update, self.revive_below, self.decay = config.update, config.revive_below, config.decay
        self.frozen = False
        self.has_stop_code = False
        self._stop_code: int | None = None
        embedding = torch.randn(size, dim)
        if self.update == "loss":
            self.embedding = nn.Parameter(embedding)
        else:
            self.register_buffer("embedding", embedding)
            self.register_buffer("sums", embedding.clone())
        self.register_buffer("counts", torch.ones(size))

    def assign(self, vectors: Tensor) -> Tensor:
        """``(n, D)`` vectors to the index ``(n,)`` of the nearest embedding: ``argmin_k ||z_e - e_k||`` (eq. 1)."""
        return nearest(self.distances(vectors), 1)[:, 0]

    def distances(self, vectors: Tensor, *, out: Tensor | None = None) -> Tensor:
        """``(n, D)`` vectors to ``||z_e - e_k||²`` for each embedding: ``(n, K)``, float32; ``out``: memory for it."""
        return squared_distances(vectors, self.embedding, out=out)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes of any shape to embeddings, with D as the last axis."""
        return functional.embedding(codes, self.embedding)

    @torch.no_grad()
    def learn(self, vectors: Tensor, codes: Tensor) -> None:
        """Update averages, and the embeddings made from them, by ``(n, D)`` vectors assigned to ``(n,)`` codes.

        A codebook that is ``frozen`` stays as it is.
        """
        if self.frozen:
            return
        stop = self.stop_code
        size = len(self.counts)
        counts = torch.bincount(codes, minlength=size).to(self.counts.dtype)
        _all_reduce(counts)
        self.counts.lerp_(counts, 1.0 - self.decay)
        if self.update == "ema":
            sums = torch.zeros_like(self.sums).index_add_(0, codes, vectors.to(self.sums.dtype))
            _all_reduce(sums)
            self.sums.lerp_(sums, 1.0 - self.decay)
            assigned = self.counts > 1e-5  # below, the ratio is not to be trusted: a forgotten code stays where it was
            means = self.sums / self.counts.clamp(min=1e-5)[:, None]
            self.embedding.copy_(torch.where(assigned[:, None], means, self.embedding))
        self._revive(vectors, stop)
        if stop is not None:
            self._clear(stop)

    @property
    def stop_code(self) -> int | None:
        """The code whose embedding is zeros and stays so, where the codebook has one: a frame may end there."""
        if self.has_stop_code and self._stop_code is None:  # looked up once: it does not move
            zeros = (self.embedding == 0).all(1).nonzero()[:, 0]
            self._stop_code = int(zeros[0]) if len(zeros) else None
        return self._stop_code

    def _clear(self, code: int) -> None:
        """Make the embedding of a code zeros."""
        self.embedding.data[code] = 0.0
        if self.update == "ema":
            self.sums[code] = 0.0

    def _revive(self, vectors: Tensor, stop: int | None) -> None:
        mean = float(self.counts.mean())
        dead = self.counts < self.revive_below * mean
        if stop is not None:
            dead[stop] = False
        if bool(dead.any()):
            self._place(dead.nonzero()[:, 0], vectors, mean)

    def _place(self, where: Tensor, vectors: Tensor, count: float) -> None:
        """Move the embeddings at ``where`` onto random vectors, as if each had ``count`` assignments.

        No vector is taken twice before all are: of two equal embeddings one would never be chosen.
        """
        rounds = -(-len(where) // len(vectors))
        order = torch.cat([torch.randperm(len(vectors), device=vectors.device) for _ in range(rounds)])
        seeds = vectors[order[: len(where)]].to(self.embedding.dtype)
        if distributed():
            dist.broadcast(seeds, 0)
        self.embedding.data[where] = seeds
        self.counts[where] = count
        if self.update == "ema":
            self.sums[where] = seeds * count

    @torch.no_grad()
    def initialise(self, vectors: Tensor, iterations: int = 10) -> None:
        """Start from ``(n, D)`` vectors of real data: random ones, then a few rounds of k-means (Lloyd, 1982)."""
        everything = torch.arange(len(self.counts), device=vectors.device)
        self._place(everything, vectors, 1.0)
        for _ in range(iterations):
            codes = self.assign(vectors)
            counts = torch.bincount(codes, minlength=len(self.counts)).to(vectors.dtype)
            sums = torch.zeros_like(self.embedding).index_add_(0, codes, vectors.to(self.embedding.dtype))
            _all_reduce(counts)
            _all_reduce(sums)
            means = sums / counts.clamp(min=1.0)[:, None]
            self.embedding.data.copy_(torch.where(counts[:, None] > 0, means, self.embedding))
        self.counts.fill_(1.0)
        if self.update == "ema":
            self.sums.copy_(self.embedding)
        if self.has_stop_code:
            self._stop_code = 0
            self._clear(0)

    def loss(self, vectors: Tensor, quantized: Tensor) -> Tensor:
        """``||sg(z_e) - e||²`` where embeddings learn by gradient (eq. 3, second term), else 0."""
        if self.update == "ema":
            return vectors.new_zeros(())
        return functional.mse_loss(quantized, vectors.detach())

    def stats(self) -> dict[str, Tensor]:
        """Perplexity (eq. in appendix: exp of the usage's entropy) and the share of codes in use."""
        share = self.counts / self.counts.sum().clamp(min=1e-9)
        perplexity = torch.exp(-(share * share.clamp(min=1e-12).log()).sum())
        used = (self.counts > self.revive_below * self.counts.mean()).float().mean()
        return {"perplexity": perplexity, "used": used}


def squared_distances(vectors: Tensor, codebook: Tensor, *, out: Tensor | None = None) -> Tensor:
    """``(n, D)`` vectors and ``(K, D)`` embeddings to ``||z_e - e_k||²`` for each pair: ``(n, K)``, float32.

    ``||z||² - 2 z·e + ||e||²`` as one product of ``(-2z, ||z||², 1)`` and ``(e, 1, ||e||²)``. ``out`` is memory for it,
    ``n K`` values or more, where no gradient is wanted: to ask the system for new memory takes about as long.
    """
    with full_precision(vectors):
        vectors, codebook = vectors.float(), codebook.float()
        left = torch.cat([-2.0 * vectors, _squares(vectors), torch.ones_like(vectors[:, :1])], 1)
        right = torch.cat([codebook, torch.ones_like(codebook[:, :1]), _squares(codebook)], 1)
        place = None if out is None else out[: len(left) * len(right)].view(len(left), len(right))
        return torch.mm(left, right.T, out=place)


def nearest(distances: Tensor, count: int, *, group: int = 32) -> Tensor:
    """Indices ``(n, count)`` of small values in each row of ``(n, candidates)``, the smallest first.

    The first is the smallest of all; the others are the smallest of other groups of candidates. Where two of the
    smallest are in one group the second is passed over, which is rare, and saves most of the time that sorting takes. A
    group's members are as far apart as they can be, so that minima are taken over whole rows of memory.
    """
    rows, candidates = distances.shape
    if candidates % group or candidates < count * group:
        return distances.topk(min(count, candidates), dim=1, largest=False).indices
    grouped = distances.view(rows, group, -1)
    least = grouped.amin(1)
    chosen = []
    for _ in range(count):  # for a few this is quicker than topk, and min than argmin
        chosen.append(least.min(1, keepdim=True).indices)
        least.scatter_(1, chosen[-1], torch.inf)
    groups = torch.cat(chosen, 1)
    members = grouped.gather(2, groups[:, None].expand(-1, group, -1)).min(1).indices
    return members * grouped.shape[2] + groups


def to_vectors(features: Tensor) -> Tensor:
    """``(batch, D, frames)`` to ``(batch * frames, D)``, in float32 at least."""
    return at_least_float32(features.transpose(1, 2).flatten(0, 1))


def from_vectors(vectors: Tensor, batch: int) -> Tensor:
    """``(batch * frames, D)`` to ``(batch, D, frames)``."""
    return vectors.reshape(batch, -1, vectors.shape[1]).transpose(1, 2)


def _squares(vectors: Tensor) -> Tensor:
    return vectors.square().sum(1, keepdim=True)


def distributed() -> bool:
    """Whether several processes train one model."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def _all_reduce(tensor: Tensor) -> None:
    if distributed():
        dist.all_reduce(tensor)
