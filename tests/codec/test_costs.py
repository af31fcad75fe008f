"""What codes cost by the prior, held against its own steps."""

from __future__ import annotations

import numpy as np
import pytest
from entropy_files import Toys

from vqaudio.codec.codec import Codec
from vqaudio.codec.costs import LARGEST_EXPONENT, CodeCosts

RATE = 16000
CONDITION = "speaker=ann"


@pytest.fixture(scope="module")
def codec(toys: Toys) -> Codec:
    return toys.codec


def log_softmax(logits: np.ndarray) -> np.ndarray:
    moved = logits - logits.max(-1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(-1, keepdims=True))


def test_costs_are_the_priors_own(codec):
    """At each frame, the logits are those of the stepper, whatever is before; sequences stay apart."""
    random = np.random.default_rng(0)
    batch_size, n_streams = 3, 3
    stepper = codec.prior.begin(batch_size, n_streams, condition=CONDITION)
    walk = CodeCosts(codec.prior, n_streams, condition=CONDITION).begin(batch_size)
    for _ in range(12):
        before = np.zeros((batch_size, codec.prior.embeddings[0].shape[1]), np.float32)
        for stream in range(n_streams):
            memory = np.empty((2, batch_size, codec.streams[stream].alphabet), np.float32)
            logits, totals = walk.logits(
                stream, before, sequences=np.arange(batch_size), out=memory[0], memory=memory[1]
            )
            expected = log_softmax(stepper.logits(stream).astype(np.float64) / 32.0)
            np.testing.assert_allclose(logits - totals[:, None], expected, rtol=0, atol=1e-4)
            codes = random.integers(0, codec.streams[stream].alphabet, batch_size)
            stepper.accept(stream, codes)
            before += codec.prior.embeddings[stream][codes]
        stepper.advance()
        walk.advance(before)


def test_paths_of_a_sequence_share_its_past(codec):
    """Rows of two sequences, in any number, cost what each costs alone."""
    random = np.random.default_rng(1)
    embeddings = codec.prior.embeddings[0]
    walk = CodeCosts(codec.prior, 2).begin(2)
    walk.advance(embeddings[[3, 40]])
    sequences = np.array([0, 0, 0, 1, 1])
    prefix = embeddings[random.integers(0, len(embeddings), 5)]
    memory = np.empty((2, 5, codec.streams[1].alphabet), np.float32)
    together = np.copy(walk.logits(1, prefix, sequences=sequences, out=memory[0], memory=memory[1])[0])
    for row, sequence in enumerate(sequences):
        alone, _ = walk.logits(
            1, prefix[row, None], sequences=sequences[row, None], out=memory[0][:1], memory=memory[1][:1]
        )
        assert np.array_equal(alone[0], together[row])
        other, _ = walk.logits(
            1, prefix[row, None], sequences=1 - sequences[row, None], out=memory[0][:1], memory=memory[1][:1]
        )
        assert sequence in (0, 1)
        assert not np.array_equal(other[0], together[row])


def test_logits_too_large_for_exponentials(codec):
    """Costs stay right where exp would overflow; what is out of reach costs much, and no more than a number."""
    costs = CodeCosts(codec.prior, 1)
    walk = costs.begin(1)
    prefix = np.zeros((1, codec.prior.embeddings[0].shape[1]), np.float32)
    memory = np.empty((2, 1, codec.streams[0].alphabet), np.float32)
    usual = np.copy(walk.logits(0, prefix, sequences=np.array([0]), out=memory[0], memory=memory[1])[0])
    costs.heads[0].output_projection[-1] += 32.0 * np.linspace(0.0, 500.0, usual.shape[1], dtype=np.float32)
    logits, totals = walk.logits(0, prefix, sequences=np.array([0]), out=memory[0], memory=memory[1])
    found = totals[:, None] - logits
    expected = -log_softmax(usual + np.floor(32 * np.linspace(0.0, 500.0, usual.shape[1])) / 32)
    near = expected < LARGEST_EXPONENT - 5
    assert near.sum() > 2
    np.testing.assert_allclose(found[near], expected[near], atol=0.1)
    assert found[~near].min() > LARGEST_EXPONENT - 6
