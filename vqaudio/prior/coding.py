"""Codes to bytes and back by any prior: the lanes of a payload share one range coder, and advance frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from vqaudio.intnet.intervals import Integers
from vqaudio.intnet.rangecoder import Decoder, Encoder
from vqaudio.prior.base import NONE, Prior, due, n_frames_of


def encode(prior: Prior, codes: Sequence[Integers], condition: str = NONE) -> bytes:
    """The codes of some lanes as bytes; ``codes`` has for each stream an int64 array ``(lanes, codes)``."""
    found = [(starts.tolist(), sizes.tolist()) for starts, sizes in prior.intervals(codes, condition)]
    encoder = Encoder()
    for frame in range(n_frames_of(codes, prior.streams)):
        for stream, at in due(prior.streams[: len(codes)], frame):
            for starts, sizes in zip(*found[stream], strict=True):
                encoder.encode(starts[at], sizes[at])
    return encoder.finish()


def decode(
    prior: Prior,
    payloads: Sequence[bytes],
    lanes: Sequence[int],
    n_frames: Sequence[int],
    n_streams: int,
    condition: str = NONE,
) -> list[list[Integers]]:
    """What :func:`encode` wrote, all payloads side by side; each has so many lanes and frames.

    Damaged bytes give some codes or other: compare a digest of them.
    """
    streams, longest = prior.streams[:n_streams], max(n_frames, default=0)
    decoders = [Decoder(payload) for payload in payloads]
    owner = np.repeat(np.arange(len(payloads)), lanes).tolist()
    found = [np.zeros((len(owner), stream.codes_in(longest)), np.int64) for stream in streams]
    stepper = prior.begin(len(owner), n_streams, condition)
    for frame in range(longest):
        going = [lane for lane, payload in enumerate(owner) if frame < n_frames[payload]]
        for stream, at in due(streams, frame):
            codes = found[stream][:, at]
            _take(decoders, owner, going, stepper.sizes(stream), codes)
            stepper.accept(stream, codes)
        stepper.advance()
    starts = np.cumsum([0, *lanes])
    return [
        [part[first:last, : stream.codes_in(frames)] for part, stream in zip(found, streams, strict=True)]
        for (first, last), frames in zip(pairwise(starts), n_frames, strict=True)
    ]


def _take(decoders: list[Decoder], owner: list[int], going: list[int], sizes: Integers, codes: Integers) -> None:
    """Decode the next code of each lane that is still ``going`` into ``codes`` ``(lanes,)``."""
    ends = sizes.cumsum(-1)
    for lane in going:
        decoder = decoders[owner[lane]]
        code = int(np.searchsorted(ends[lane], decoder.place(), side="right"))
        size = int(sizes[lane, code])
        decoder.take(int(ends[lane, code]) - size, size)
        codes[lane] = code
