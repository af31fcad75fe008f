"""Small ``.vq`` files made by hand, and what writes, reads and forges them."""

from __future__ import annotations

import io
from binascii import crc_hqx
from dataclasses import replace
from zlib import crc32

import numpy as np

from vqaudio.container import PLAIN, Level, Reader, SoundHeader, Stream, Writer

SPEECH = SoundHeader("00112233aabb", 44100, 16000, 320, 250, 1, (Stream(1024),) * 3)
TINY = SoundHeader("00112233aabb", 44100, 16000, 320, 4, 2, (Stream(1000), Stream(5, stride=2)), version=1)
TINY_SAMPLES = 5292  # 1920 samples at 16 kHz: 6 frames of 320, so chunks of 4 and 2 frames
TINY_CODES = [
    [np.array([[1, 2, 3, 999], [1, 2, 3, 999]]), np.array([[4, 0], [4, 0]])],
    [np.array([[512, 0], [7, 8]]), np.array([[3], [2]])],
]
TINY_HEADER = "8a565101 00112233aabb 20 c4d802 807d c002 04 02 01e80701 010502 22923876"
TINY_CHUNKS = "c0 00 07 00 0040200fe780 4287 9dbb5413", "c2 01 02 07 01 800006038108 dfc7 d3af35de"
TINY_TRAILER = "7e ac29 20 02 9558 0a0000"
GOLDEN = bytes.fromhex(TINY_HEADER + "".join(TINY_CHUNKS) + TINY_TRAILER)
HEADER_SIZE = len(bytes.fromhex(TINY_HEADER))
# Explained byte by byte in docs/format.md, "An example".
EDGED = replace(TINY, version=3, margin=320)
EDGED_SAMPLES = 3528  # 1280 samples at 16 kHz, and 320 beyond either end: 6 frames
EDGED_LEVELS = [(PLAIN, PLAIN), (PLAIN, Level(2, -1024))]
EDGED_PARTS = [
    bytes.fromhex("8a565103 00112233aabb 20 c4d802 807d c002 04 02 c002 01e80701 010502 f5830a93"),
    bytes.fromhex(TINY_CHUNKS[0]),
    bytes.fromhex("c6 01 02 0c 0000 04ff0f 01 800006038108 dfc7 c457ab5d"),
    bytes.fromhex("7e c81b 20 0c bd81 0a0000"),
]


class Pipe:
    """A file that can do nothing but write."""

    def __init__(self):
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def written(header, chunks, n_samples):
    pipe = Pipe()
    writer = Writer(pipe, header)
    sizes = [writer.write(codes) for codes in chunks]
    trailer = writer.close(n_samples)
    assert len(header.to_bytes()) + sum(sizes) + trailer == len(pipe.data)
    return bytes(pipe.data)


def random_chunks(header, n_frames, seed=0):
    rng = np.random.default_rng(seed)
    chunks = []
    for start in range(0, n_frames, header.chunk_frames):
        count = min(header.chunk_frames, n_frames - start)
        chunks.append([rng.integers(0, s.alphabet, (header.channels, s.codes_in(count))) for s in header.streams])
    return chunks


def samples_for(header, n_frames):
    return n_frames * header.hop_length * header.source_rate // header.coded_rate


def read(data, name="x.vq"):
    return Reader(io.BytesIO(data), name)


def same(found, expected):
    return all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def sealed(body):
    """A chunk or header with its CRC-32, for forgeries that only their content gives away."""
    return body + crc32(body).to_bytes(4, "little")


def trailer(n_samples_and_index, kind=b"\x7e"):
    body = kind + n_samples_and_index
    return body + crc_hqx(body, 0xFFFF).to_bytes(2, "little") + (len(body) + 5).to_bytes(3, "little")


def chunk_starts(data):
    reader = Reader(io.BytesIO(data), "x.vq")
    return list(reader._offsets)
