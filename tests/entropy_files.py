"""Files of every entropy mode, by a codec whose prior knows two sounds by heart."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from tiny_priors import toy_prior
from tools import MODEL, synthetic, tiny_codec

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.codec.codec import Codec
from vqaudio.codec.options import CodingOptions
from vqaudio.container import Reader
from vqaudio.container.chunk import RAW
from vqaudio.prior.entropy import coders

RATE = 16000
MODES = ("none", "context", "prior")


@dataclass(frozen=True)
class Toys:
    """Two sounds ``(1, samples)`` of 5 s, ann's and bob's; a codec whose prior knows both; and that prior's file."""

    ann: np.ndarray
    bob: np.ndarray
    codec: Codec
    prior: Path
    other: Path
    """Another prior for the same codec."""


def make_toys(folder: Path) -> Toys:
    """Both sounds learned by heart; the other prior knows them less well."""
    ann, bob = (synthetic(5, RATE, seed=seed) for seed in (0, 1))
    priors = [
        toy_prior(folder / f"{seed}.int8.safetensors", tiny_codec(), [ann[0], bob[0]], seed, steps)
        for seed, steps in ((0, 60), (1, 5))
    ]
    return Toys(ann, bob, vqaudio.load(MODEL, prior=priors[0]), *priors)


def stored(toys: Toys, wav: np.ndarray, mode: str = "prior", chunk_seconds: float = 0.5, **options: object) -> bytes:
    """A sound as a file, in short chunks."""
    file = io.BytesIO()
    toys.codec.write(
        ArraySource(wav, RATE), file, options=CodingOptions(chunk_seconds=chunk_seconds, entropy=mode, **options)
    )  # type: ignore[arg-type]
    return file.getvalue()


def opened(data: bytes, prior: Path | None = None) -> Reader:
    return Reader(io.BytesIO(data), "x.vq", coder_for=coders(prior))


def is_raw(data: bytes) -> list[bool]:
    """Whether a coder fell back to raw codes, for each chunk."""
    return [bool(data[at] & RAW) for at in opened(data)._offsets]


def sealed(body: bytes) -> bytes:
    """A chunk or header with its CRC-32, for forgeries that only their content gives away."""
    return body + crc32(body).to_bytes(4, "little")


def forged(data: bytes, old: bytes, new: bytes) -> bytes:
    """The file with some bytes of its header changed, as if it had been written so."""
    size = opened(data)._start
    assert data[:size].count(old) == 1
    return sealed(data[: size - 4].replace(old, new)) + data[size:]
