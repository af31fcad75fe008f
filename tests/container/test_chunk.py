"""Chunks that only their checksum vouches for."""

from __future__ import annotations

import tracemalloc

import pytest
from vq_files import (
    GOLDEN,
    HEADER_SIZE,
    read,
    sealed,
    trailer,
)

from vqaudio.container import SoundHeader, Stream

FULL = bytes.fromhex("c000 07 00 0040200fe780 4287")
FORGERIES = [
    (FULL.replace(b"\xc0\x00", b"\xc0\x01", 1), "number is 1, expected 0"),
    (FULL.replace(b"\xc0", b"\xc1", 1), "starts with byte c1"),
    (FULL.replace(b"\xc0\x00", b"\xc2\x00\x03", 1), "count of frames is 3, expected 4"),
    (FULL.replace(b"\xc0\x00", b"\xc2\x00\x04", 1), "marked short but holds 4"),
    (FULL.replace(b"\xc0\x00", b"\xc0\x80\x00", 1), "longer than it needs"),
    (FULL.replace(b"\xc0\x00", b"\xc0" + b"\xff" * 9, 1), "longer than 9 bytes"),
    (FULL.replace(b"\x00\x07", b"\x00\xff\xff\xff\x7f", 1), "said to have 268435455 bytes, and at most 14"),
    (FULL.replace(b"\x00\x07", b"\x00\x06", 1), "size in bytes is 15, expected 16"),
    (FULL.replace(b"\x07\x00", b"\x08\x00\x00", 1), "codes take 7 bytes, expected 6"),
    (FULL.replace(b"\x07\x00", b"\x07\x01", 1), "codes take 6 bytes, expected 12"),
    (FULL.replace(b"\x07\x00", b"\x07\x02", 1), "channel 1 is said to equal channel 2"),
    (FULL.replace(b"\xe7\x80", b"\xe7\x82", 1), "bits after its last code are not zero"),
    (FULL.replace(b"\xe7\x80", b"\xe7\xc0", 1), "code 6 of an alphabet of 5"),
    (FULL.replace(b"\x0f\xe7", b"\x0f\xe6", 1), "do not match their digest"),
    (FULL.replace(b"\x42\x87", b"\x42\x88", 1), "do not match their digest"),
]


@pytest.mark.parametrize(("body", "message"), FORGERIES)
def test_chunks_that_only_their_checksum_vouches_for_are_refused(body, message):
    chunk = sealed(body)
    index = {16: b"\x20", 17: b"\x22", 19: b"\x26", 24: b"\x30", 25: b"\x32"}[len(chunk)]
    data = GOLDEN[:HEADER_SIZE] + chunk + trailer(bytes.fromhex("b81b") + index)  # 3512 samples take 4 frames
    reader = read(data)
    assert reader.has_trailer
    assert message in reader.chunk(0).problem


def test_absurd_sizes_after_the_header_take_no_memory():
    largest = SoundHeader("0" * 12, 2**31 - 1, 1, 2**20, 2**24, 1, (Stream(65536),))
    chunk = sealed(b"\xc0\x00" + b"\xff\xff\xff\x0f" + b"\x00\x00")
    forged_index = sealed(b"\xc2" + b"\xff\xff\xff\xff\x7f" + b"\x01\x02\x00\x00" + b"\xb8\x47")
    tracemalloc.start()
    try:
        huge_trailer = trailer(b"\xff" * 8 + b"\x7f" + b"\xfe" * 8 + b"\x7f")
        for rest in (chunk, forged_index, chunk + b"\xff\xff\xff", huge_trailer):
            reader = read(largest.to_bytes() + rest)
            assert not reader.has_trailer
            assert reader.n_chunks == 0
            assert reader.problems
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
