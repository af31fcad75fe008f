"""Bottlenecks: one contract for all, and each formula against numbers worked out by hand or in numpy."""

from __future__ import annotations

import copy
import gc
import importlib
import inspect
import itertools
import math
import pkgutil

import numpy as np
import pytest
import torch
from tiny_models import randomised
from torch import Tensor, nn

import vqaudio.model.bottleneck
from vqaudio.config.bottleneck import (
    BottleneckConfig,
    FSQConfig,
    GaussianConfig,
    GroupedConfig,
    HierarchicalConfig,
    IdentityConfig,
    ResidualConfig,
    VQConfig,
)
from vqaudio.model.bottleneck import (
    FSQ,
    VQ,
    Bottleneck,
    BottleneckOutput,
    Gaussian,
    GroupedVQ,
    Hierarchical,
    Identity,
    ResidualVQ,
    build_bottleneck,
)
from vqaudio.model.bottleneck.codebook import Codebook, nearest
from vqaudio.model.bottleneck.gradients import rotation_trick, straight_through
from vqaudio.model.layers import Span

DIM = 6
TABLE: dict[str, tuple[type[Bottleneck], BottleneckConfig]] = {
    "identity": (Identity, IdentityConfig()),
    "vq-ema": (VQ, VQConfig(codebook_size=8)),
    "vq-loss": (VQ, VQConfig(codebook_size=8, update="loss")),
    "residual-ema": (ResidualVQ, ResidualConfig(codebook_size=8, n_codebooks=4)),
    "vq-rotation": (VQ, VQConfig(codebook_size=8, gradient="rotation")),
    "residual-rotation": (ResidualVQ, ResidualConfig(codebook_size=8, n_codebooks=4, gradient="rotation")),
    "residual-loss": (ResidualVQ, ResidualConfig(codebook_size=8, n_codebooks=4, update="loss")),
    "vq-gumbel": (VQ, VQConfig(codebook_size=8, gradient="gumbel", update="loss")),
    "grouped": (GroupedVQ, GroupedConfig(codebook_size=8, groups=3)),
    "grouped-residual": (GroupedVQ, GroupedConfig(codebook_size=8, groups=2, n_codebooks=3)),
    "fsq": (FSQ, FSQConfig(levels=(4, 3, 5))),
    "fsq-unprojected": (FSQ, FSQConfig(levels=(3, 4, 3, 3, 4, 3))),
    "hierarchical": (Hierarchical, HierarchicalConfig(codebook_size=8)),
    "hierarchical-3": (Hierarchical, HierarchicalConfig(codebook_size=8, levels=3, update="loss")),
    "gaussian": (Gaussian, GaussianConfig()),
    "gaussian-score": (Gaussian, GaussianConfig(estimator="score")),
}
QUANTIZERS = ["vq-ema", "vq-loss", "residual-ema", "residual-loss", "vq-gumbel", "grouped", "grouped-residual"]
"""Those whose latents are codebook embeddings, with a gradient that passes straight to the features."""


def make(name: str, dim: int = DIM) -> Bottleneck:
    return build_bottleneck(TABLE[name][1], dim)


def codebook(update: str = "ema", size: int = 4, dim: int = 3, **settings: float) -> Codebook:
    return Codebook(VQConfig(codebook_size=size, update=update, **settings), dim)


# ---------------------------------------------------------------------------------------------------------- contract


def missing_from_table() -> set[str]:
    """Names of the package's concrete bottlenecks that :data:`TABLE` lacks."""
    package = vqaudio.model.bottleneck
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    found, waiting = set(), [Bottleneck]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("vqaudio.") and not inspect.isabstract(kind):
            found.add(kind)
    return {kind.__name__ for kind in found - {kind for kind, _ in TABLE.values()}}


def test_every_bottleneck_is_in_the_table() -> None:
    gc.collect()  # the class of the next test, where that one ran first
    assert missing_from_table() == set()


def test_a_bottleneck_outside_the_table_is_noticed() -> None:
    type("Forgotten", (Identity,), {"__module__": "vqaudio.model.bottleneck.forgotten"})
    assert "Forgotten" in missing_from_table()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", TABLE)
def test_contract(name: str, training: bool) -> None:
    kind, _ = TABLE[name]
    bottleneck = make(name).train(training)
    assert type(bottleneck) is kind
    features = torch.randn(3, DIM, 12, requires_grad=True)
    passed = bottleneck(features)
    assert type(passed) is BottleneckOutput
    assert passed.latents.shape == features.shape
    assert passed.latents.dtype == torch.float32
    assert passed.loss.shape == ()
    assert float(passed.loss.detach()) >= 0
    assert all(isinstance(value, Tensor) and value.shape == () for value in passed.stats.values())
    assert (passed.log_prob is not None) == (name == "gaussian-score" and training)
    _check_tokens(bottleneck, passed.tokens, features)
    ((passed.latents + 2.0).square().sum() + passed.loss).backward()  # a latent may be 0
    assert features.grad is not None
    assert bool((features.grad != 0).all())


@pytest.mark.parametrize("name", TABLE)
def test_contract_of_encode_and_decode(name: str) -> None:
    bottleneck = make(name).eval()
    features = torch.randn(3, DIM, 12)
    tokens = bottleneck.encode(features)
    passed = bottleneck(features)
    _check_tokens(bottleneck, tokens, features)
    assert all(torch.equal(one, other) for one, other in zip(tokens, passed.tokens, strict=True))
    if bottleneck.streams:
        assert torch.allclose(bottleneck.decode(tokens), passed.latents, atol=1e-5)
    for count in range(len(tokens) + 2):
        some = [*tokens, torch.zeros(3, 12, dtype=torch.long)][:count]
        if bottleneck.min_streams <= count <= len(tokens):
            assert bottleneck.decode(some).shape == features.shape
            assert len(bottleneck.encode(features, count)) == count
        else:
            with pytest.raises(ValueError, match="tokens"):
                bottleneck.decode(some)


@pytest.mark.parametrize("name", [name for name in TABLE if make(name).streams])
def test_codes_and_latents_see_as_far_as_they_say(name: str) -> None:
    """Within the spans everything matters somewhere, beyond them nothing: changed frames, and changed codes."""
    bottleneck = randomised(make(name)).double().eval()
    step = math.lcm(*(stream.stride for stream in bottleneck.streams))
    spans = bottleneck.encode_span, bottleneck.decode_span
    assert (spans == (Span(), Span())) == (step == 1)
    assert all(reach % step == 0 for reach in (spans[0].left, spans[0].right))
    middle, frames = 10 * step, 21 * step
    features = torch.randn(200, DIM, frames, dtype=torch.double)
    tokens = bottleneck.encode(features)
    changed = features.clone()
    changed[..., middle : middle + step] += torch.randn(200, DIM, step)
    differs = torch.stack([
        (a != b).any(0).repeat_interleave(stream.stride)
        for a, b, stream in zip(tokens, bottleneck.encode(changed), bottleneck.streams, strict=True)
    ]).any(0).nonzero()[:, 0]  # fmt: skip
    assert middle - spans[0].right <= int(differs.min()) <= middle
    assert middle + step - 1 <= int(differs.max()) < middle + step + spans[0].left
    for stream, codes in zip(bottleneck.streams, tokens, strict=True):
        codes[:, middle // stream.stride : (middle + step) // stream.stride] = torch.randint(
            stream.alphabet, (200, step // stream.stride)
        )
    moved = (bottleneck.decode(tokens) - bottleneck(features).latents).abs().amax((0, 1)) > 1e-9
    assert int(moved.nonzero().min()) == middle - spans[1].right
    assert int(moved.nonzero().max()) == middle + step - 1 + spans[1].left


@pytest.mark.parametrize("name", TABLE)
def test_embeddings_add_up_to_latents(name: str) -> None:
    bottleneck = make(name).eval()
    books = bottleneck.additive_codebooks()
    assert len(books) in (0, len(bottleneck.streams))
    if not books:
        assert name.startswith(("identity", "gaussian", "hierarchical"))
        return
    tokens = bottleneck.encode(torch.randn(2, DIM, 12))
    total = sum(book[codes] for book, codes in zip(books, tokens, strict=True))
    assert torch.allclose(bottleneck.decode(tokens), total.transpose(1, 2), atol=1e-6)


def _check_tokens(bottleneck: Bottleneck, tokens: list[Tensor], features: Tensor) -> None:
    batch, _, frames = features.shape
    assert len(tokens) == len(bottleneck.streams)
    for stream, codes in zip(bottleneck.streams, tokens, strict=True):
        assert codes.dtype == torch.long
        assert codes.shape == (batch, frames // stream.stride)
        assert int(codes.min()) >= 0
        assert int(codes.max()) < stream.alphabet


def test_streams_say_what_can_be_stored() -> None:
    sizes = {name: [(stream.alphabet, stream.stride) for stream in make(name).streams] for name in TABLE}
    assert sizes == {
        "identity": [],
        "vq-ema": [(8, 1)],
        "vq-loss": [(8, 1)],
        "vq-rotation": [(8, 1)],
        "residual-ema": [(8, 1)] * 4,
        "residual-loss": [(8, 1)] * 4,
        "residual-rotation": [(8, 1)] * 4,
        "vq-gumbel": [(8, 1)],
        "grouped": [(8, 1)] * 3,
        "grouped-residual": [(8, 1)] * 6,
        "fsq": [(60, 1)],
        "fsq-unprojected": [(1296, 1)],
        "hierarchical": [(8, 2), (8, 1)],
        "hierarchical-3": [(8, 4), (8, 2), (8, 1)],
        "gaussian": [],
        "gaussian-score": [],
    }
    least = {name: make(name).min_streams for name in TABLE}
    assert {name: count for name, count in least.items() if count != 1} == {
        "grouped": 3,
        "grouped-residual": 2,
        "hierarchical": 2,
        "hierarchical-3": 3,
    }


@pytest.mark.parametrize("name", TABLE)
def test_evaluation_changes_nothing(name: str) -> None:
    bottleneck = make(name).eval()
    before = copy.deepcopy(bottleneck.state_dict())
    features = torch.randn(2, DIM, 7)
    assert torch.equal(bottleneck(features).latents, bottleneck(features).latents)
    assert all(torch.equal(value, before[key]) for key, value in bottleneck.state_dict().items())


# --------------------------------------------------------------------------------------------------------- gradients


def test_straight_through_by_hand() -> None:
    """The loss's gradient at the quantized values arrives at the features as it is."""
    features = torch.tensor([0.3, -1.2], requires_grad=True)
    quantized = torch.tensor([0.5, -1.0], requires_grad=True)
    latents = straight_through(features, quantized)
    assert latents.tolist() == pytest.approx([0.5, -1.0])
    (latents - torch.tensor([2.0, 1.0])).square().sum().backward()
    assert features.grad.tolist() == pytest.approx([2 * (0.5 - 2.0), 2 * (-1.0 - 1.0)])
    assert quantized.grad is None


@pytest.mark.parametrize("name", QUANTIZERS)
def test_features_get_the_gradient_of_the_latents(name: str) -> None:
    bottleneck = make(name).eval()
    features = torch.randn(2, DIM, 5, requires_grad=True)
    weight = torch.randn(2, DIM, 5)
    latents = bottleneck(features).latents
    latents.retain_grad()
    (weight * latents.pow(3)).sum().backward()
    assert torch.allclose(features.grad, latents.grad)
    assert torch.allclose(features.grad, 3 * weight * latents.detach().square())


# Two embeddings, two frames: (0.2, 0) is nearest to (0, 0), and (0.9, 0.5) to (1, 1).
ENTRIES = [[0.0, 0.0], [1.0, 1.0]]
FRAMES = [[0.2, 0.0], [0.9, 0.5]]
MEAN_SQUARE = (0.2**2 + 0.0 + 0.1**2 + 0.5**2) / 4


def by_hand(update: str, commitment: float) -> tuple[VQ, Tensor, BottleneckOutput]:
    bottleneck = VQ(VQConfig(codebook_size=2, update=update, commitment=commitment), 2).eval()
    bottleneck.codebook.embedding.data.copy_(torch.tensor(ENTRIES))
    features = torch.tensor(FRAMES).T[None].clone().requires_grad_()
    return bottleneck, features, bottleneck(features)


def test_the_codebook_loss_moves_only_the_codebook() -> None:
    bottleneck, features, passed = by_hand("loss", commitment=0.0)
    assert passed.tokens[0].tolist() == [[0, 1]]
    assert float(passed.loss.detach()) == pytest.approx(MEAN_SQUARE)
    passed.loss.backward()
    assert bottleneck.codebook.embedding.grad.flatten().tolist() == pytest.approx([-0.1, 0.0, 0.05, 0.25])
    assert features.grad.abs().max() == 0


def test_the_commitment_moves_only_the_encoder() -> None:
    bottleneck, features, passed = by_hand("ema", commitment=0.25)
    assert list(bottleneck.parameters()) == []
    assert float(passed.loss.detach()) == pytest.approx(0.25 * MEAN_SQUARE)
    passed.loss.backward()
    assert features.grad[0].T.flatten().tolist() == pytest.approx([0.025, 0.0, -0.0125, -0.0625])


def test_both_terms_add_up_and_the_latents_move_neither_codebook() -> None:
    bottleneck, features, passed = by_hand("loss", commitment=0.25)
    assert float(passed.loss.detach()) == pytest.approx(1.25 * MEAN_SQUARE)
    (passed.loss + passed.latents.sum()).backward()
    assert bottleneck.codebook.embedding.grad.flatten().tolist() == pytest.approx([-0.1, 0.0, 0.05, 0.25])
    assert features.grad[0].T.flatten().tolist() == pytest.approx([1.025, 1.0, 0.9875, 0.9375])


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


# ---------------------------------------------------------------------------------------------------------- learning


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
    book = codebook(revive_below=0.0, decay=0.5)
    far = book.embedding[3] = book.sums[3] = torch.tensor([50.0, 50.0, 50.0])
    for _ in range(60):
        vectors = torch.randn(20, 3)
        book.learn(vectors, book.assign(vectors))
    assert float(book.counts[3]) < 1e-9
    assert torch.allclose(book.embedding[3], far)


@pytest.mark.parametrize("update", ["ema", "loss"])
def test_dead_codes_are_seeded_from_the_batch(update: str) -> None:
    book = codebook(update, size=6, revive_below=0.1, decay=0.9)
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
        book = codebook(update, size=16, dim=8)
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
    book = codebook(size=32)
    book.initialise(vectors)
    assert error_of(book, vectors) == pytest.approx(0.0, abs=1e-9)
    few = codebook(size=32)
    few.initialise(vectors[:5])
    assert error_of(few, vectors[:5]) == pytest.approx(0.0, abs=1e-9)


def test_initialise_goes_level_by_level() -> None:
    bottleneck = ResidualVQ(ResidualConfig(codebook_size=16, n_codebooks=4), 4).eval()
    features = torch.randn(2, 4, 200)
    bottleneck.initialise(features)
    tokens = bottleneck.encode(features)
    errors = [float((features - bottleneck.decode(tokens[:depth])).square().mean()) for depth in (1, 2, 3, 4)]
    assert all(later < 0.75 * earlier for earlier, later in itertools.pairwise(errors))
    assert all(len(codes.unique()) == 16 for codes in tokens)


def test_perplexity_by_hand() -> None:
    """Shares 1/2, 1/4, 1/4 and 0: entropy 1.5 bits, perplexity 2^1.5."""
    book = codebook(size=4)
    book.counts.copy_(torch.tensor([20.0, 10.0, 10.0, 0.0]))
    assert float(book.stats()["perplexity"]) == pytest.approx(2**1.5, rel=1e-5)
    assert float(book.stats()["used"]) == 0.75
    book.counts.fill_(3.0)
    assert float(book.stats()["perplexity"]) == pytest.approx(4.0, rel=1e-5)


def test_stats_come_for_each_codebook() -> None:
    assert set(make("residual-ema")(torch.randn(1, DIM, 4)).stats) == {
        f"{name}_{level}" for name in ("perplexity", "used") for level in (1, 2, 3, 4)
    }


# ---------------------------------------------------------------------------------------------------------- residual


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


def test_the_rotation_trick_against_its_matrix() -> None:
    """``R = I - 2 r rᵀ + 2 q eᵀ`` turns the feature onto its code, and the gradient comes back through ``R`` scaled."""
    features, quantized, gradient = (
        torch.randn(4, DIM, 1, requires_grad=True),
        torch.randn(4, DIM, 1),
        torch.randn(4, DIM),
    )
    made = rotation_trick(features, quantized)
    assert torch.equal(made, quantized)
    made.backward(gradient[..., None])
    assert features.grad is not None
    for z, target, given, got in zip(features.detach(), quantized, gradient, features.grad, strict=True):
        e, q = z[:, 0] / z.norm(), target[:, 0] / target.norm()
        r = (e + q) / (e + q).norm()
        turn = torch.eye(DIM) - 2 * torch.outer(r, r) + 2 * torch.outer(q, e)
        assert torch.allclose(turn @ turn.T, torch.eye(DIM), atol=1e-5)
        assert torch.allclose(turn @ e, q, atol=1e-5)
        assert torch.allclose(got[:, 0], target.norm() / z.norm() * turn.T @ given, atol=1e-5)


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
