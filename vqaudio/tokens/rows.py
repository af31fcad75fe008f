"""One recording's tokens, and whose they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.container import Stream


@dataclass(frozen=True)
class Origin:
    """Whose tokens they are: a codec's fingerprint, its streams, and its frames per second (Hz)."""

    codec: str
    streams: tuple[Stream, ...]
    frame_rate: float

    @property
    def dtype(self) -> np.dtype[Any]:
        """What holds a code: int16, or int32 where an alphabet is above 32768."""
        return np.dtype(np.int16 if max((s.alphabet for s in self.streams), default=0) <= 32768 else np.int32)

    def to_json(self) -> str:
        """As files of tokens hold it."""
        streams = [[stream.alphabet, stream.stride] for stream in self.streams]
        return json.dumps({"codec": self.codec, "streams": streams, "frame_rate": self.frame_rate})

    @classmethod
    def from_json(cls, text: str | bytes) -> Origin:
        """What :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        facts = json.loads(text)
        streams = tuple(Stream(*numbers) for numbers in facts["streams"])
        return cls(facts["codec"], streams, facts["frame_rate"])


@dataclass(frozen=True)
class Row:
    """The tokens of one recording, and what is known of it.

    Attributes:
        path, corpus, speaker, label, split: as in the corpus; empty where it does not say.
        version: 0 for the recording as it is, from 1 on for augmented copies.
        codes: for each stream in use an int32 array ``(codes,)``.
        id: unique in the corpus, by which copies of one recording are told together.
        text: what is said. starts: when each word or letter of it begins in the sound, in seconds; empty where not
            known.
        seconds: how long the sound is that was coded, without silence that was put after it; None if not known.
    """

    path: str
    corpus: str
    speaker: str
    label: str
    split: str
    version: int
    codes: list[NDArray[np.int32]]
    id: str = ""
    text: str = ""
    starts: tuple[float, ...] = ()
    seconds: float | None = None
