"""Codebooks: assignment, moving averages, revival, k-means and stop codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_bottlenecks import DIM, EVERY, make, make_codebook, residual
from torch import Tensor, nn

from vqaudio.config.bottleneck import VQConfig
from vqaudio.model.bottleneck import VQ
from vqaudio.model.bottleneck.codebook import Codebook, nearest


def test_moving_averages_against_numpy() -> None:
    """Appendix A.1 of the paper: N = γ N + (1 - γ) n, m = γ m + (1 - γ) Σ z, e = m / N."""
    decay = 0.9
    bottleneck = VQ(VQConfig(codebook_size=4, decay=decay, revive_below=0.0), 3).train()
    embeddings = bottleneck.codebook.embedding.double().numpy().copy()
    counts, sums = np.ones(4), embeddings.copy()
    for _ in range(6):
        features = torch.randn(2, 3, 20)
        vectors = features.transpose(1, 2).reshape(-1, 3).double().numpy()
        codes = ((vectors[:, None] - embeddings) ** 2).sum(-1).argmin(1)
        assert torch.equal(bottleneck(features).tokens[0].flatten(), torch.from_numpy(codes))
        for k in range(4):
            counts[k] = decay * counts[k] + (1 - decay) * (codes == k).sum()
            sums[k] = decay * sums[k] + (1 - decay) * vectors[codes == k].sum(0)
        embeddings = sums / counts[:, None]
        assert np.allclose(bottleneck.codebook.embedding.numpy(), embeddings, atol=1e-4)
        assert np.allclose(bottleneck.codebook.counts.numpy(), counts, atol=1e-4)


def test_a_forgotten_code_stays_where_it_was() -> None:
    """Without revival, sum and number vanish together; their ratio must not."""
    book = make_codebook(revive_below=0.0, decay=0.5)
    far = book.embedding[3] = book.sums[3] = torch.tensor([50.0, 50.0, 50.0])
    for _ in range(60):
        vectors = torch.randn(20, 3)
        book.learn(vectors, book.assign(vectors))
    assert float(book.counts[3]) < 1e-9
    assert torch.allclose(book.embedding[3], far)


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_dead_codes_are_seeded_from_the_batch(update: str) -> None:
    book = make_codebook(update, size=6, revive_below=0.1, decay=0.9)
    dead = [1, 4]
    book.embedding.data[dead] = 100.0
    if update == "ema":
        book.sums[dead] = 0.0
    book.counts[dead] = 0.0
    live = [0, 2, 3, 5]
    book.counts[live] = 20.0
    before = book.embedding.detach().clone()
    vectors = torch.randn(120, 3)
    book.learn(vectors, torch.tensor(live).repeat(30))
    places = [(vectors == book.embedding[code]).all(1).nonzero().flatten().tolist() for code in dead]
    assert [len(place) for place in places] == [1, 1]
    assert places[0] != places[1], "two codes on one vector: one would never be chosen"
    wanted = (4 * (0.9 * 20 + 0.1 * 30)) / 6
    assert book.counts[dead].tolist() == pytest.approx([wanted, wanted])
    assert not bool((book.embedding[live] == vectors[:, None]).all(-1).any()), "living codes are left alone"
    if update == "loss":
        assert torch.equal(book.embedding[live], before[live])
    else:  # or the next step would throw the code far away again
        assert torch.allclose(book.sums[dead], book.embedding[dead] * wanted)
    assert set(dead) <= set(book.assign(vectors).tolist())


def test_revived_codes_take_part_at_once() -> None:
    """A codebook that starts far from the data covers it after some steps."""
    bottleneck = VQ(VQConfig(codebook_size=16, decay=0.8), 3).train()
    bottleneck.codebook.embedding += 100.0
    bottleneck.codebook.sums.copy_(bottleneck.codebook.embedding)
    for _ in range(30):
        bottleneck(torch.randn(1, 3, 400))
    codes = bottleneck.eval()(torch.randn(1, 3, 2000)).tokens[0]
    assert len(codes.unique()) == 16


def error_of(book: Codebook, vectors: Tensor) -> float:
    return float((vectors - book(book.assign(vectors))).square().sum(1).mean().detach())


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_initialise_is_k_means(update: str) -> None:
    centres = 5.0 * torch.eye(8)
    vectors = (centres[:, None] + 0.1 * torch.randn(8, 40, 8)).flatten(0, 1)
    errors = {}
    for iterations in (0, 10):
        torch.manual_seed(3)
        book = make_codebook(update, size=16, dim=8)
        book.initialise(vectors, iterations)
        errors[iterations] = error_of(book, vectors)
    assert errors[10] < 0.8 * errors[0]
    codes = book.assign(vectors)
    assert len(codes.unique()) == 16
    for code in range(16):
        assert torch.allclose(book.embedding[code], vectors[codes == code].mean(0), atol=1e-4)
    assert torch.equal(book.counts, torch.ones(16))


def test_initialise_uses_every_vector_before_any_twice() -> None:
    vectors = torch.randn(32, 3)
    book = make_codebook(size=32)
    book.initialise(vectors)
    assert error_of(book, vectors) == pytest.approx(0.0, abs=1e-9)
    few = make_codebook(size=32)
    few.initialise(vectors[:5])
    assert error_of(few, vectors[:5]) == pytest.approx(0.0, abs=1e-9)


def test_perplexity_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4 and 0: entropy 1.5 bits, perplexity 2^1.5."""
    book = make_codebook(size=4)
    book.counts.copy_(torch.tensor([20.0, 10.0, 10.0, 0.0]))
    assert float(book.stats()["perplexity"]) == pytest.approx(2**1.5, rel=1e-5)
    assert float(book.stats()["used"]) == 0.75
    book.counts.fill_(3.0)
    assert float(book.stats()["perplexity"]) == pytest.approx(4.0, rel=1e-5)


@pytest.mark.parametrize("count", [1, 3, 8, 9])
@pytest.mark.parametrize("candidates", [9, 96, 1024, 1000])
def test_nearest_against_sorting(count: int, candidates: int) -> None:
    distances = torch.randn(20, candidates)
    found = nearest(distances.clone(), count)
    best = distances.argsort(1)
    assert torch.equal(found[:, 0], best[:, 0])
    if candidates % 32 or candidates < 32 * count:
        assert torch.equal(found, best[:, :count])
        return
    groups = best % (candidates // 32)
    for row, (ranked, grouped) in enumerate(zip(best.tolist(), groups.tolist(), strict=True)):
        leaders = [code for at, code in enumerate(ranked) if grouped[at] not in grouped[:at]]
        assert found[row].tolist() == leaders[:count]


@pytest.mark.parametrize("name", ["vq-loss", "residual-loss"])
def test_embeddings_that_learn_by_gradient_are_parameters(name: str) -> None:
    bottleneck = make(name).train()
    levels = [module for module in bottleneck.modules() if isinstance(module, Codebook)]
    assert all(isinstance(level.embedding, nn.Parameter) for level in levels)
    optimizer = torch.optim.SGD(bottleneck.parameters(), lr=1.0)
    features = torch.randn(4, DIM, 50)
    losses = []
    for _ in range(20):
        loss = bottleneck(features).loss
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


# --------------------------------------------------------------------------------------------------------- stop codes


def book(stop: bool = True, update: str = "ema", **settings: float) -> Codebook:
    made = Codebook(VQConfig(codebook_size=6, update=update, decay=0.5, **settings), 3)
    made.has_stop_code = stop
    return made


def zeros(codebook: Codebook) -> list[int]:
    return (codebook.embedding == 0).all(1).nonzero()[:, 0].tolist()


def test_all_codebooks_but_the_first_get_a_stop_code_from_data() -> None:
    bottleneck = residual(stop_codes=True)
    bottleneck.initialise(torch.randn(8, DIM, 40))
    assert [codebook.stop_code for codebook in bottleneck.codebooks] == [None, 0, 0, 0]
    assert [zeros(codebook) for codebook in bottleneck.codebooks] == [[], [0], [0], [0]]


def test_without_the_flag_there_is_none() -> None:
    bottleneck = residual()
    bottleneck.initialise(torch.randn(8, DIM, 40))
    assert [codebook.stop_code for codebook in bottleneck.codebooks] == [None] * EVERY
    assert not any(zeros(codebook) for codebook in bottleneck.codebooks)
    plain = book(stop=False)
    plain.embedding[2] = 0.0
    plain.learn(torch.ones(4, 3), torch.tensor([2, 2, 2, 2]))
    assert plain.stop_code is None
    assert (plain.embedding[2] != 0).all()


def test_what_is_assigned_to_a_stop_code_does_not_move_it() -> None:
    stopping, plain = book(), book(stop=False)
    plain.load_state_dict(stopping.state_dict())
    for codebook in (stopping, plain):
        codebook.embedding[4] = 0.0
        codebook.learn(torch.full((6, 3), 0.3), torch.tensor([4, 4, 4, 4, 1, 1]))
    assert (zeros(stopping), zeros(plain)) == ([4], [])
    assert stopping.sums[4].tolist() == [0.0, 0.0, 0.0]
    assert stopping.counts[4] == plain.counts[4] == 2.5  # (1 + 4) / 2: it is counted as any other
    others = [0, 1, 2, 3, 5]
    assert torch.equal(stopping.embedding[others], plain.embedding[others])


def test_a_stop_code_that_nobody_chooses_is_not_revived() -> None:
    codebook = book(revive_below=0.5)
    codebook.embedding[4] = 0.0
    before = codebook.embedding.clone()
    for _ in range(6):
        codebook.learn(torch.randn(12, 3) + 5.0, torch.arange(12) % 3)
    assert zeros(codebook) == [4]
    assert all((codebook.embedding[code] != before[code]).any() for code in (3, 5))  # as others are
    assert codebook.counts[4] < 0.1


def test_starting_from_data_anew_leaves_one_stop_code() -> None:
    codebook = book()
    codebook.embedding[4] = 0.0
    assert codebook.stop_code == 4
    codebook.initialise(torch.randn(50, 3))
    codebook.learn(torch.randn(50, 3), torch.arange(50) % 6)
    assert zeros(codebook) == [codebook.stop_code] == [0]


def test_a_saved_stop_code_is_found_again_wherever_it_is() -> None:
    first, second = residual(stop_codes=True), residual(stop_codes=True)
    first.initialise(torch.randn(8, DIM, 40))
    for codebook, place in zip(first.codebooks[1:], (5, 0, 7), strict=True):
        codebook.embedding[[0, place]] = codebook.embedding[[place, 0]]
        codebook.sums[[0, place]] = codebook.sums[[place, 0]]
        codebook._stop_code = None
    second.load_state_dict(first.state_dict())
    for bottleneck in (first, second):
        torch.manual_seed(0)
        for _ in range(5):
            bottleneck(torch.randn(8, DIM, 40))
        assert [zeros(codebook) for codebook in bottleneck.codebooks] == [[], [5], [0], [7]]
    assert all(
        torch.equal(ours, theirs)
        for ours, theirs in zip(first.additive_codebooks(), second.additive_codebooks(), strict=True)
    )


def test_a_model_without_stop_codes_gets_none_by_the_flag() -> None:
    codebook = book()
    before = codebook.embedding.clone()
    codebook.learn(torch.randn(12, 3), torch.arange(12) % 6)
    assert codebook.stop_code is None
    assert (codebook.embedding != before).all()
