"""Trailers that are not believed."""

from __future__ import annotations

import pytest
from vq_files import (
    GOLDEN,
    HEADER_SIZE,
    TINY_CHUNKS,
    TINY_CODES,
    read,
    same,
    trailer,
)


def test_a_trailer_of_another_kind_or_with_a_chunk_too_large_is_not_believed():
    chunks = b"".join(map(bytes.fromhex, TINY_CHUNKS))
    index = bytes.fromhex("ac29 20 02")
    assert read(GOLDEN[:HEADER_SIZE] + chunks + trailer(index)).has_trailer
    assert not read(GOLDEN[:HEADER_SIZE] + chunks + trailer(index, kind=b"\x7f")).has_trailer
    assert not read(GOLDEN[:HEADER_SIZE] + bytes(100) + trailer(bytes.fromhex("b81b c801"))).has_trailer


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xac\x29\x20\x04", id="sizes add up to one byte too many"),
        pytest.param(b"\xac\x29\x20", id="one chunk too few"),
        pytest.param(b"\xb2\x37\x20\x02\x21", id="a chunk of no bytes"),
        pytest.param(b"\xb2\x37\x20\x04\x25", id="a chunk of -1 bytes"),
        pytest.param(b"\xb8\x1b\x20\x02", id="samples of one chunk"),
        pytest.param(b"\xd2\x37\x20\x02", id="samples of three chunks"),
        pytest.param(b"\xac\x29\x42", id="one chunk of both sizes"),
    ],
)
def test_a_trailer_that_disagrees_with_the_file_is_not_believed(body):
    reader = read(GOLDEN[:HEADER_SIZE] + b"".join(map(bytes.fromhex, TINY_CHUNKS)) + trailer(body))
    assert not reader.has_trailer
    assert reader.problems
    assert all(same(chunk.codes, TINY_CODES[chunk.index]) for chunk in reader)
    assert reader.n_chunks == 2
