"""The contract that all bottlenecks keep."""

from __future__ import annotations

import copy
import gc
import importlib
import inspect
import math
import pkgutil

import pytest
import torch
from tiny_bottlenecks import DIM, TABLE, make
from tiny_models import randomised
from torch import Tensor

import vqaudio.model.bottleneck
from vqaudio.inference.spans import Span
from vqaudio.model.bottleneck import Bottleneck, BottleneckOutput, Identity


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


# ------------------------------------------------------------------------------- what search and training ask for


@pytest.mark.parametrize("name", TABLE)
def test_codes_have_a_cost_where_a_bottleneck_says_so(name: str) -> None:
    """Without one the search is that of encode; one above all distances leaves no code that could be left out."""
    bottleneck, features = make(name).eval(), torch.randn(2, DIM, 12)
    if not bottleneck.has_code_costs:
        assert not name.startswith("residual")
        with pytest.raises(ValueError, match=f"codes of {type(bottleneck).__name__} have no cost"):
            bottleneck.encode_with_cost(features, None, code_cost=1.0)
        return
    for codebook in bottleneck.additive_codebooks()[1:]:
        codebook.data[5] = 0.0
    plain, free = bottleneck.encode(features), bottleneck.encode_with_cost(features, None, code_cost=0.0)
    assert all(torch.equal(one, other) for one, other in zip(plain, free, strict=True))
    dear = bottleneck.encode_with_cost(features, 3, code_cost=1e4)
    assert [set(codes.unique().tolist()) == {5} for codes in dear] == [False, True, True]


@pytest.mark.parametrize("name", TABLE)
def test_stop_codes_are_embeddings_of_zeros(name: str) -> None:
    bottleneck = make(name)
    codebooks = bottleneck.additive_codebooks()
    before = [codes.tolist() for codes in bottleneck.stop_codes()]
    assert len(before) == len(codebooks)
    if not [*bottleneck.codebook_modules()] or not codebooks:
        return  # FSQ's embeddings are made anew each time
    assert not any(before)
    for codebook in bottleneck.codebook_modules():
        codebook.embedding.data[2] = 0.0
    assert [codes.tolist() for codes in bottleneck.stop_codes()] == [[2]] * len(codebooks)


@pytest.mark.parametrize("name", TABLE)
def test_a_stream_has_tensors_to_itself_that_codes_before_it_do_not_need(name: str) -> None:
    bottleneck = make(name).eval()
    own = [bottleneck.stream_tensors(stream) for stream in range(len(bottleneck.streams))]
    names = [tensor for tensors in own for tensor in tensors]
    assert set(names) <= set(bottleneck.state_dict())
    assert len(names) == len(set(names))
    assert all(own) or not names
    if bottleneck.min_streams == len(own) or not names:
        return
    tokens = bottleneck.encode(torch.randn(2, DIM, 12))[:-1]
    latents = bottleneck.decode(tokens)
    for tensor in own[-1]:
        bottleneck.state_dict()[tensor].fill_(9.0)
    assert torch.equal(bottleneck.decode(tokens), latents)


@pytest.mark.parametrize("name", TABLE)
def test_a_frozen_bottleneck_does_not_learn(name: str) -> None:
    bottleneck = make(name).train()
    bottleneck.freeze()
    before = copy.deepcopy(bottleneck.state_dict())
    bottleneck(torch.randn(2, DIM, 40))
    assert not any(parameter.requires_grad for parameter in bottleneck.parameters())
    assert all(torch.equal(value, before[key]) for key, value in bottleneck.state_dict().items())


@pytest.mark.parametrize("name", TABLE)
def test_averages_can_be_slowed_and_not_hastened(name: str) -> None:
    bottleneck = make(name)
    for decay in (0.999, 0.5):
        bottleneck.slow_averages(decay)
        assert {codebook.decay for codebook in bottleneck.codebook_modules()} <= {0.999}


@pytest.mark.parametrize("name", TABLE)
def test_a_bottleneck_can_be_built_without_memory(name: str) -> None:
    """As :mod:`vqaudio.training.processes` does, to ask whether there are parameters that a gradient must reach."""
    with torch.device("meta"):
        described = [(key, value.shape) for key, value in make(name).named_parameters()]
    assert described == [(key, value.shape) for key, value in make(name).named_parameters()]
