"""Residual codebooks: sums, their search, and quantizer dropout."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from tiny_bottlenecks import DIM, EVERY, make, residual
from torch import Tensor

from vqaudio.config.bottleneck import ResidualConfig
from vqaudio.model.bottleneck import Bottleneck, ResidualVQ
from vqaudio.model.bottleneck.residual import DEPTH_FRAMES

FRAMES, BATCH = 20, 400  # FRAMES: three times DEPTH_FRAMES and two


def test_residual_loss_is_the_mean_over_codebooks() -> None:
    """One frame (1, 0): entry (0.6, 0) leaves (0.4, 0), entry (0.3, 0) leaves (0.1, 0)."""
    config = ResidualConfig(codebook_size=2, n_codebooks=2, update="loss", commitment=0.5)
    bottleneck = ResidualVQ(config, 2).eval()
    for level, near in zip(bottleneck.codebooks, (0.6, 0.3), strict=True):
        level.embedding.data.copy_(torch.tensor([[9.0, 9.0], [near, 0.0]]))
    features = torch.tensor([[[1.0], [0.0]]], requires_grad=True)
    passed = bottleneck(features)
    first, second = 0.4**2 / 2, 0.1**2 / 2
    assert float(passed.loss.detach()) == pytest.approx(1.5 * (first + second) / 2)
    passed.loss.backward()
    assert features.grad.flatten().tolist() == pytest.approx([0.5 * (0.4 + 0.1) / 2, 0.0])
    grads = [level.embedding.grad[1].tolist() for level in bottleneck.codebooks]
    assert grads == [pytest.approx([-0.4 / 2, 0.0]), pytest.approx([-0.1 / 2, 0.0])]


def test_initialise_goes_level_by_level() -> None:
    bottleneck = ResidualVQ(ResidualConfig(codebook_size=16, n_codebooks=4), 4).eval()
    features = torch.randn(2, 4, 200)
    bottleneck.initialise(features)
    tokens = bottleneck.encode(features)
    errors = [float((features - bottleneck.decode(tokens[:depth])).square().mean()) for depth in (1, 2, 3, 4)]
    assert all(later < 0.75 * earlier for earlier, later in itertools.pairwise(errors))
    assert all(len(codes.unique()) == 16 for codes in tokens)


def test_stats_come_for_each_codebook() -> None:
    assert set(make("residual-ema")(torch.randn(1, DIM, 4)).stats) == {
        f"{name}_{level}" for name in ("perplexity", "used") for level in (1, 2, 3, 4)
    }


def test_residual_against_numpy() -> None:
    """Greedy nearest neighbours, in float64, without the expanded square that the package uses."""
    bottleneck = ResidualVQ(ResidualConfig(codebook_size=16, n_codebooks=5), DIM).eval()
    for level, book in enumerate(bottleneck.codebooks):
        book.embedding.mul_(0.6**level)
    features = torch.randn(3, DIM, 40)
    residual = features.permute(0, 2, 1).double().numpy()
    total = np.zeros_like(residual)
    passed, tokens = bottleneck(features), bottleneck.encode(features)
    for level, book in enumerate(bottleneck.codebooks):
        embeddings = book.embedding.double().numpy()
        distances = np.linalg.norm(residual[:, :, None] - embeddings, axis=-1)
        codes = distances.argmin(-1)
        assert np.array_equal(tokens[level].numpy(), codes)
        assert np.array_equal(passed.tokens[level].numpy(), codes)
        total, residual = total + embeddings[codes], residual - embeddings[codes]
        first = bottleneck.decode(tokens[: level + 1])
        assert np.allclose(first.permute(0, 2, 1).numpy(), total, atol=1e-5)
    assert np.allclose(passed.latents.permute(0, 2, 1).numpy(), total, atol=1e-5)


def search_of(paths: int, codebook_size: int = 8, n_codebooks: int = 3) -> ResidualVQ:
    """A residual VQ of random embeddings, the same for every number of paths, each level smaller than the last."""
    config = ResidualConfig(codebook_size=codebook_size, n_codebooks=n_codebooks, search=paths * n_codebooks)
    bottleneck = ResidualVQ(config, DIM).eval()
    source = torch.Generator().manual_seed(7)
    for level, book in enumerate(bottleneck.codebooks):
        book.embedding.copy_(torch.randn(codebook_size, DIM, generator=source) * 0.7**level)
    return bottleneck


def errors_of(bottleneck: Bottleneck, features: Tensor, n_streams: int | None = None) -> Tensor:
    """Squared distance of each frame to what it is coded as: ``(batch, frames)``."""
    return (features - bottleneck.decode(bottleneck.encode(features, n_streams))).square().sum(1)


def test_a_search_over_all_paths_finds_the_nearest_of_all_sums() -> None:
    bottleneck, features = search_of(64), torch.randn(2, DIM, 30)
    books = [book.embedding for book in bottleneck.codebooks]
    sums = (books[0][:, None, None] + books[1][:, None] + books[2]).flatten(0, 2)
    nearest_sum = torch.cdist(features.transpose(1, 2), sums[None]).amin(-1).square()
    assert torch.allclose(errors_of(bottleneck, features), nearest_sum, atol=1e-4)
    assert bool((errors_of(search_of(1), features) > nearest_sum + 1e-3).any()), "the greedy choice must miss some"


def test_an_entry_is_taken_where_it_saves_its_cost() -> None:
    """Of all sums, the least distance plus cost; stop codes cost nothing."""
    bottleneck, features = search_of(64), torch.randn(2, DIM, 30)
    for book in list(bottleneck.codebooks)[1:]:
        book.embedding[3] = 0.0
    books = [book.embedding for book in bottleneck.codebooks]
    sums = (books[0][:, None, None] + books[1][:, None] + books[2]).flatten(0, 2)
    taken = [(book != 0).any(1).float() for book in books]
    embeddings = (taken[0][:, None, None] + taken[1][:, None] + taken[2]).flatten()
    distances = torch.cdist(features.transpose(1, 2), sums[None]).square()
    counts = []
    for cost in (0.0, 0.2, 2.0, 100.0):
        codes = bottleneck.encode_with_cost(features, None, code_cost=cost)
        found = (features - bottleneck.decode(codes)).square().sum(1)
        used = sum(share[part] for share, part in zip(taken, codes, strict=True))
        assert torch.allclose(found + cost * used, (distances + cost * embeddings).amin(-1), atol=1e-4)
        counts.append(float(used.mean()))
    assert counts[0] > counts[1] > counts[2] > counts[3] == 1.0


def test_more_paths_come_nearer() -> None:
    features = torch.randn(2, DIM, 300)
    errors = [float(errors_of(search_of(paths, 64, 6), features).mean()) for paths in (1, 2, 4, 16)]
    assert all(later < 0.98 * earlier for earlier, later in itertools.pairwise(errors))


def test_the_search_serves_the_number_of_codebooks_asked_for() -> None:
    bottleneck, features = search_of(8, 64, 6), torch.randn(2, DIM, 300)
    few = bottleneck.encode(features, 2)
    assert len(few) == 2
    from_all = features - bottleneck.decode(bottleneck.encode(features)[:2])
    assert float(errors_of(bottleneck, features, 2).mean()) < 0.98 * float(from_all.square().sum(1).mean())


@pytest.mark.parametrize(("dropout", "share_of_all"), [(0.0, 1.0), (0.5, 0.5 + 0.5 / 4), (1.0, 1 / 4)])
def test_dropout_decodes_from_the_first_few(dropout: float, share_of_all: float) -> None:
    n_items = 2000
    bottleneck = ResidualVQ(ResidualConfig(codebook_size=8, n_codebooks=4, dropout=dropout), DIM)
    before = copy.deepcopy(bottleneck).eval()
    features = torch.randn(n_items, DIM, 2)
    passed = bottleneck.train()(features)
    tokens = before.encode(features)
    partial = torch.stack([before.decode(tokens[:depth]) for depth in (1, 2, 3, 4)])
    matches = ((partial - passed.latents).abs() < 1e-5).all(-1).all(-1)
    assert bool((matches.sum(0) == 1).all()), "each item is one partial sum, the same for all its frames"
    shares = matches.double().mean(1).tolist()
    others = (1.0 - share_of_all) / 3
    assert shares == pytest.approx([others, others, others, share_of_all], abs=4 * math.sqrt(0.25 / n_items))


def test_dropout_rests_in_evaluation() -> None:
    bottleneck = ResidualVQ(ResidualConfig(codebook_size=8, n_codebooks=4, dropout=1.0), DIM).eval()
    features = torch.randn(50, DIM, 2)
    assert torch.allclose(bottleneck(features).latents, bottleneck.decode(bottleneck.encode(features)), atol=1e-5)


def depths(bottleneck: ResidualVQ) -> Tensor:
    """How many codebooks each frame was decoded from, ``(BATCH, FRAMES)``: the number whose sum the latents are."""
    for codebook in bottleneck.codebooks:
        codebook.frozen = True  # so that the sums are still there
    made = bottleneck(torch.randn(BATCH, DIM, FRAMES))
    sums = torch.stack([bottleneck.decode(made.tokens[:count]) for count in range(1, EVERY + 1)])
    nearest = (sums - made.latents).norm(dim=2).min(dim=0)
    assert nearest.values.max() < 1e-4
    return nearest.indices + 1


def changing(depth: Tensor) -> Tensor:
    """Which items hold more than one number."""
    return (depth != depth[:, :1]).any(1)


def test_one_number_holds_for_a_whole_item_by_default() -> None:
    depth = depths(residual(dropout=1.0))
    assert not changing(depth).any()
    assert sorted(set(depth.flatten().tolist())) == [1, 2, 3, 4]


def test_the_number_can_change_every_few_frames() -> None:
    depth = depths(residual(dropout=1.0, frame_dropout=1.0))
    parts = depth.split(DEPTH_FRAMES, dim=1)
    assert [part.shape[1] for part in parts] == [6, 6, 6, 2]
    assert not any(changing(part).any() for part in parts)
    firsts = torch.stack([part[:, 0] for part in parts])
    for count in range(1, EVERY + 1):
        assert (firsts == count).float().mean() == pytest.approx(1 / EVERY, abs=0.04)
    assert (firsts[1:] != firsts[:-1]).float().mean() == pytest.approx(1 - 1 / EVERY, abs=0.04)


def test_it_changes_in_a_share_of_the_items_that_are_not_whole() -> None:
    depth = depths(residual(dropout=0.5, frame_dropout=0.4))
    assert changing(depth).float().mean() == pytest.approx(0.5 * 0.4 * (1 - EVERY**-3), abs=0.06)
    whole = 0.5 + 0.5 * (0.6 / EVERY + 0.4 * EVERY**-4)
    assert (depth == EVERY).all(1).float().mean() == pytest.approx(whole, abs=0.075)


@pytest.mark.parametrize("settings", [{"dropout": 1.0, "frame_dropout": 1.0}, {"dropout": 1.0}])
def test_all_codebooks_are_heard_in_evaluation(settings: dict[str, float]) -> None:
    assert (depths(residual(**settings).eval()) == EVERY).all()


def test_without_dropout_no_frame_is_shortened() -> None:
    assert (depths(residual(dropout=0.0, frame_dropout=1.0)) == EVERY).all()
