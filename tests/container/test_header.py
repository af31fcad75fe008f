"""Headers: what they hold, their limits, and those that cannot be read."""

from __future__ import annotations

import tracemalloc

import pytest
from vq_files import (
    GOLDEN,
    TINY,
    TINY_HEADER,
    read,
    sealed,
)

from vqaudio.container import SoundHeader, Stream
from vqaudio.errors import ContainerError


def test_header_of_a_prior_is_written_and_read():
    header = SoundHeader(
        "00112233aabb", 8000, 8000, 200, 9, 1, (Stream(7),), entropy="prior", prior="ffeeddccbbaa", condition="Zoë"
    )
    data = header.to_bytes()
    assert SoundHeader.from_bytes(data + b"more") == (header, len(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 0}, "channels is 0, expected 1 to 1024"),
        ({"source_rate": 2**31}, "source_rate is 2147483648"),
        ({"streams": ()}, "the number of streams is 0, expected 1 to 64"),
        ({"streams": (Stream(8),) * 65}, "the number of streams is 65"),
        ({"streams": (Stream(8), Stream(9)) * 8}, "groups of equal streams is 16, expected 1 to 15"),
        ({"streams": (Stream(8), Stream(1))}, "the alphabet of stream 1 is 1, expected 2 to 65536"),
        ({"streams": (Stream(8, 2),)}, "smallest stride of all streams is 2, expected 1"),
        ({"chunk_frames": 2**24, "channels": 2}, "the number of codes in a chunk is"),
        ({"codec": "00112233AABB"}, "is not 12 hexadecimal digits"),
        ({"entropy": "magic"}, "expected one of none, context, prior"),
        ({"entropy": "prior"}, "prior fingerprint belongs"),
        ({"condition": "female"}, "needs entropy mode prior"),
        ({"version": 2}, "the format version is 2, expected 1 or 3"),
        ({"margin": 1}, "the margin is 1, expected 0 in format version 1"),
        ({"margin": 2**20 + 1, "version": 3}, "margin is 1048577, expected 0 to 1048576"),
    ],
)
def test_header_out_of_limits_is_refused(change, message):
    fields = {name: getattr(TINY, name) for name in TINY.__dataclass_fields__} | change
    with pytest.raises(ContainerError, match=message):
        SoundHeader(**fields)


def changed(place, new, size=1):
    header = bytes.fromhex(TINY_HEADER)[:-4]
    return sealed(header[:place] + bytes.fromhex(new) + header[place + size :])


BILLION = "8094ebdc03"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"is not a \.vq file \(starts with nothing"),
        (b"RIFF\x24\x00", r"is not a \.vq file \(starts with 52 49 46, expected 8a 56 51\)"),
        (GOLDEN[:20], "header is damaged: it ends too early"),
        (changed(3, "02"), "holds a table, not sound: decompress it to .csv"),
        (changed(3, "04"), "holds a table, not sound: decompress it to .csv"),
        (changed(3, "05"), "has format version 5, but this vqaudio reads 1 or 3: update vqaudio"),
        (changed(3, "00"), "has format version 0"),
        (changed(10, "2f"), "uses entropy mode number 15, unknown to this vqaudio: update vqaudio"),
        (GOLDEN[:12] + b"\xd9" + GOLDEN[13:], "checksum does not match"),
        (changed(19, BILLION), "channels is 1000000000, expected 1 to 1024"),
        (changed(11, "00", 3), "source_rate is 0, expected 1 to 2147483647"),
        (changed(16, BILLION, 2), "hop_length is 1000000000, expected 1 to 1048576"),
        (changed(18, BILLION), "chunk_frames is 1000000000, expected 1 to 16777216"),
        (changed(20, BILLION), "number of streams is 1000000001, expected 1 to 64"),
        (changed(21, BILLION, 2), "alphabet of stream 0 is 1000000000, expected 2 to 65536"),
        (changed(18, "8080800808", 2), "codes in a chunk is"),
        (changed(10, "00"), "header is damaged: its checksum"),
        (sealed(changed(10, "22")[:-4] + b"\1\2\3\4\5\6" + b"\x02\xff\xfe"), "condition is not UTF-8"),
        (sealed(changed(10, "22")[:-4] + b"\1\2\3\4\5\6" + b"\x41" + b"a" * 65), "condition in bytes is 65"),
        (sealed(changed(10, "22")[:-4] + b"\1\2\3\4\5\6" + b"\xff\xff\xff\xff\x0f"), "ends too early"),
    ],
)
def test_a_header_that_cannot_be_read_gives_one_clear_line_and_takes_no_memory(data, message):
    tracemalloc.start()
    try:
        with pytest.raises(ContainerError, match=r"^x\.vq: [^\n]*" + message):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
