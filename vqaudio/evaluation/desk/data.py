"""What the desk shows of a take, as JSON can hold it; ``desk.js`` says how it is put together."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqaudio.codec.opened import StoredSound
from vqaudio.evaluation.metrics import MEL_BANDS, MEL_HOP, MEL_WINDOW, SAMPLE_RATE, Wave, log_mel
from vqaudio.evaluation.systems import System
from vqaudio.intnet.intervals import bits_of

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec

RANGE_DB = 80.0
"""Below the loudest place, what is shown of a spectrogram."""
TICKS_KHZ = (0.25, 0.5, 1, 2, 4)
Group = Literal["original", "own", "peer"]
ORIGINAL = "original"
"""The key of the take that is the sound as it came."""
SCORES = ("pesq_wb", "stoi")
"""What is measured of a take against it, by its name among the metrics."""


@dataclass(frozen=True)
class Take:
    """One way in which a sound can be heard.

    Attributes:
        key: by which the page knows it.
        name, note: what it is called, and what else is said of it.
        group: what colour it has.
        sound, picture: addresses of the sound and of what :func:`picture` makes.
        bytes: its file's; None where there is no file.
        download, file: the address of that file, and its name.
        facts: further figures, each with a name.
    """

    key: str
    name: str
    group: Group
    sound: str
    note: str = ""
    picture: str = ""
    bytes: int | None = None
    download: str = ""
    file: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def key_of(system: System) -> str:
    """The key of the take that a codec makes."""
    return system.name.lower().replace(" ", "-")


@dataclass(frozen=True)
class Desk:
    """What a desk shows.

    Attributes:
        id: another one where the sound is another.
        title: of the sound.
        takes: in the order of the rail.
        waiting: names of those still to come.
        selected: the key of the one that is heard first.
        reference: the key of the one that the others are compared with and made as loud as, where there is one.
        model: whose tokens are shown, where a server can decode any of them.
    """

    id: str
    title: str
    takes: tuple[Take, ...] = field(default=())
    waiting: tuple[str, ...] = ()
    selected: str | None = None
    reference: str | None = None
    model: str | None = None

    def as_data(self) -> dict[str, Any]:
        """As the page takes it."""
        return asdict(self)


# ------------------------------------------------------------------------------------------------------------- pictures


def mel_levels(wave: Wave) -> NDArray[np.float64]:
    """``(samples,)`` at 16 kHz to ``(frames, bands)`` in dB re full scale; one frame for what is shorter than that."""
    return 20.0 * log_mel(np.pad(wave, (0, max(0, MEL_WINDOW - len(wave)))))


def picture(wave: Wave, *, loudest: float, tokens: dict[str, Any] | None) -> str:
    """All that is shown of a take, as text: :func:`mel_picture`, and what :func:`tokens_picture` made, where it did."""
    found = {"mel": mel_picture(wave, loudest=loudest), "tokens": tokens}
    return json.dumps(found, separators=(",", ":"), allow_nan=False)


def mel_picture(wave: Wave, *, loudest: float) -> dict[str, Any]:
    """A mel spectrogram of ``(samples,)`` at 16 kHz, from 80 dB below ``loudest`` (dB re full scale) up."""
    levels = mel_levels(wave)
    shares = np.clip(1.0 + (levels - loudest) / RANGE_DB, 0.0, 1.0)
    top = SAMPLE_RATE / 2
    return {
        "frames": len(levels),
        "bands": MEL_BANDS,
        "seconds": MEL_HOP / SAMPLE_RATE,
        "start": (MEL_WINDOW - MEL_HOP) / 2 / SAMPLE_RATE,  # a frame shows the middle of its window
        "top": top,
        "levels": base64.b64encode(np.round(255 * shares).astype(np.uint8).tobytes()).decode(),
        "ticks": [[math.log1p(1000 * khz / 700) / math.log1p(top / 700), f"{khz:g}"] for khz in TICKS_KHZ],
    }


def tokens_picture(codec: Codec, streams: Sequence[NDArray[np.integer[Any]]], *, margin: int) -> dict[str, Any]:
    """Tokens, and what each frame's cost by the prior, where the model has one.

    Those of the first channel are shown. Bits are means over a frame's tokens and all channels, in chunks as files have
    them.

    Args:
        codec: whose tokens they are.
        streams: ``(channels, codes)`` for each codebook.
        margin: samples at the codec's rate that they begin before the sound.
    """
    found: dict[str, Any] = {
        "codes": [own[0].tolist() for own in streams],
        "alphabets": [stream.alphabet for stream in codec.streams[: len(streams)]],
        "seconds": 1.0 / codec.frame_rate,
        "start": -margin / codec.sample_rate,
        "plain": round(float(np.mean([stream.bits for stream in codec.streams[: len(streams)]])), 2),
    }
    if codec.prior_file is not None:
        found["bits"] = np.round(bits_per_frame(codec, streams), 3).tolist()
    return found


def bits_per_frame(codec: Codec, streams: Sequence[NDArray[np.integer[Any]]]) -> NDArray[np.float64]:
    """Bits per token by the prior at each frame; arguments and means as for :func:`tokens_picture`."""
    frames, strides = codec.chunk_frames(), [stream.stride for stream in codec.streams]
    total = max(part.shape[1] * stride for part, stride in zip(streams, strides, strict=False))
    found = []
    for start in range(0, total, frames):
        chunk = [
            part[:, start // stride : (start + frames) // stride].astype(np.int64)
            for part, stride in zip(streams, strides, strict=False)
        ]
        parts = [bits_of(frequencies).mean(axis=0) for _, frequencies in codec.prior.intervals(chunk)]
        longest = max(map(len, parts))
        found.append(np.mean([np.repeat(part, -(-longest // len(part)))[:longest] for part in parts], axis=0))
    means: NDArray[np.float64] = np.concatenate(found)
    return means


def stored_streams(stored: StoredSound) -> list[NDArray[np.int32]]:
    """The codes in a ``.vq`` file, ``(channels, codes)`` for each codebook; of a damaged file, those that are left."""
    chunks = [chunk.codes for index in range(stored.reader.n_chunks) if (chunk := stored.chunk(index)) and chunk.codes]
    return [np.concatenate([chunk[part] for chunk in chunks], axis=1) for part in range(len(stored.header.streams))]
