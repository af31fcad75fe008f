"""Codes to bytes and back by any prior: a payload's sequences share one range coder, and advance frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vqaudio.intnet.intervals import Integers
from vqaudio.intnet.rangecoder import Decoder, Encoder
from vqaudio.prior.base import NONE, Prior, due, n_frames_of


def encode(prior: Prior, codes: Sequence[Integers], *, condition: str = NONE) -> bytes:
    """The codes of a batch as bytes; ``codes`` has for each stream an int64 array ``(batch, codes)``."""
    found = [(starts.tolist(), frequencies.tolist()) for starts, frequencies in prior.intervals(codes, condition)]
    encoder = Encoder()
    for frame in range(n_frames_of(codes, prior.streams)):
        for stream, at in due(prior.streams[: len(codes)], frame):
            for starts, frequencies in zip(*found[stream], strict=True):
                encoder.encode(starts[at], frequencies[at])
    return encoder.finish()


def decode(
    prior: Prior,
    payloads: Sequence[bytes],
    *,
    batch_sizes: Sequence[int],
    n_frames: Sequence[int],
    n_streams: int,
    condition: str = NONE,
) -> list[list[Integers]]:
    """What :func:`encode` wrote, all payloads side by side; each has so many sequences and frames.

    Damaged bytes give some codes or other: compare a digest of them.
    """
    streams, longest = prior.streams[:n_streams], max(n_frames, default=0)
    decoders = [Decoder(payload) for payload in payloads]
    owner = np.repeat(np.arange(len(payloads)), batch_sizes).tolist()
    found = [np.zeros((len(owner), stream.codes_in(longest)), np.int64) for stream in streams]
    stepper = prior.begin(len(owner), n_streams, condition=condition)
    for frame in range(longest):
        going = [sequence for sequence, payload in enumerate(owner) if frame < n_frames[payload]]
        for stream, at in due(streams, frame):
            codes = found[stream][:, at]
            _take(decoders, owner, going, stepper.cumulative(stream), codes)
            stepper.accept(stream, codes)
        stepper.advance()
    starts = np.cumsum([0, *batch_sizes])
    return [
        [part[first:last, : stream.codes_in(frames)] for part, stream in zip(found, streams, strict=True)]
        for (first, last), frames in zip(pairwise(starts), n_frames, strict=True)
    ]


def _take(
    decoders: list[Decoder], owner: list[int], going: list[int], ends: NDArray[np.integer], codes: Integers
) -> None:
    """Decode the next code of each sequence that is still ``going`` into ``codes`` ``(batch,)``."""
    for sequence in going:
        decoder, row = decoders[owner[sequence]], ends[sequence]
        code = int(row.searchsorted(decoder.place(), side="right"))
        start = row.item(code - 1) if code else 0
        decoder.take(start, row.item(code) - start)
        codes[sequence] = code
