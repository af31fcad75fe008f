"""Sound to codes by blocks of a length, and back."""

from __future__ import annotations

import numpy as np

from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.blocks import Block, encode_blocks
from vqaudio.codec.codec import Codec
from vqaudio.codec.decoding import CodedBlocks, DecodedBlocks
from vqaudio.container import PLAIN, ChunkCodes

RATE = 16000


def encode(codec: Codec, wav: np.ndarray, block_frames: int) -> ChunkCodes:
    found = encode_blocks(
        codec.networks, ArraySource(wav, RATE), block_frames=block_frames, n_streams=codec.n_codebooks
    )
    return [np.concatenate(parts, axis=1) for parts in zip(*(block.codes for block in found), strict=True)]


def decode(
    codec: Codec, codes: ChunkCodes, n_samples: int, block_frames: int, lost: frozenset[int] = frozenset()
) -> DecodedBlocks:
    def block(index: int) -> Block | None:
        cut = slice(index * block_frames, (index + 1) * block_frames)
        plain = (PLAIN,) * codes[0].shape[0]
        return None if index in lost else Block([stream[:, cut] for stream in codes], plain)

    coded = CodedBlocks(block, codes[0].shape[0], lambda: n_samples, block_frames, len(codes))
    return DecodedBlocks(codec.networks, coded, silence=codec.silence)
