"""Codes to bytes by any prior, and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from priors import (
    STREAMS,
    TABLE,
    conditions,
    made,
    random_codes,
    same,
)

from vqaudio.intnet.intervals import bits_of
from vqaudio.prior.base import NONE
from vqaudio.prior.coding import decode, encode


@settings(max_examples=12, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), max_size=4),
    n_streams=st.integers(2, 3),
    seed=st.integers(0, 2**32),
    conditioned=st.booleans(),
)
@pytest.mark.parametrize("name", TABLE)
def test_payloads_decode_alone_and_side_by_side(name, shapes, n_streams, seed, conditioned):
    prior = made(name)
    condition = conditions(prior)[-1] if conditioned else NONE
    codes = [
        random_codes(STREAMS[:n_streams], batch_size, frames, seed + i) for i, (batch_size, frames) in enumerate(shapes)
    ]
    payloads = [encode(prior, one, condition=condition) for one in codes]
    batch_sizes, frames = [one for one, _ in shapes], [one for _, one in shapes]
    together = decode(
        prior, payloads, batch_sizes=batch_sizes, n_frames=frames, n_streams=n_streams, condition=condition
    )
    assert len(together) == len(codes)
    for found, expected, payload, shape in zip(together, codes, payloads, shapes, strict=True):
        assert same(found, expected)
        assert same(
            decode(
                prior, [payload], batch_sizes=[shape[0]], n_frames=[shape[1]], n_streams=n_streams, condition=condition
            )[0],
            expected,
        )


@pytest.mark.parametrize("name", TABLE)
def test_a_payload_is_as_long_as_its_codes_cost(name):
    prior, codes = made(name), random_codes(STREAMS, 2, 40)
    bits = sum(bits_of(frequencies).sum() for _, frequencies in prior.intervals(codes))
    assert abs(len(encode(prior, codes)) - bits / 8) <= 2


@pytest.mark.parametrize("name", TABLE)
def test_damaged_payloads_decode_to_codes_of_the_alphabet(name):
    prior, codes = made(name), random_codes(STREAMS, 2, 20)
    payload = encode(prior, codes)
    spoilt = bytes([payload[0] ^ 0x10]) + payload[1:]
    for data in (b"", payload[: len(payload) // 2], b"\xff" * 9, spoilt):
        found = decode(prior, [payload, data], batch_sizes=[2, 2], n_frames=[20, 20], n_streams=3)
        assert same(found[0], codes)  # damage stays with its payload
        assert not same(found[1], codes)
        for part, stream in zip(found[1], STREAMS, strict=True):
            assert part.shape == (2, stream.codes_in(20))
            assert 0 <= part.min() <= part.max() < stream.alphabet
