"""When each letter of a sentence is said, by what a recogniser of American English finds when it is told the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vqaudio.evaluation.judges.base import load
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave

FRAME_SECONDS = 0.01
FILLERS = "<[+"
"""What the names of silence and noise begin with."""


class Aligner:
    """Finds words in sounds at 16 kHz.

    Package: ``pocketsphinx``. Its search is Viterbi's, over the states of the words' phones, with silence between them
    where it helps.
    """

    def __init__(self) -> None:
        # cmn: the means of cepstra are taken over each whole sound, and not carried over from the one before
        self._decoder: Any = load("pocketsphinx").Decoder(samprate=SAMPLE_RATE, lm=None, cmn="batch", loglevel="FATAL")

    def knows(self, word: str) -> bool:
        """Whether it can say how a word sounds, in small letters; of its genitive if it knows the word."""
        if self._decoder.lookup_word(word) is None and word.endswith("'s"):
            stem = self._decoder.lookup_word(word.removesuffix("'s"))
            if stem is not None:
                self._decoder.add_word(word, f"{stem} Z", True)
        return self._decoder.lookup_word(word) is not None

    def letters(self, sound: Wave, text: str) -> list[float] | None:
        """When each character of a text begins in a sound ``(samples,)``, in seconds, with a space for a word's end.

        Letters share the time of their word evenly. None where a word is not known, or the words are not found.
        """
        words = text.split()
        if not words or not all(map(self.knows, words)):
            return None
        try:
            self._decoder.set_align_text(text)
            self._decoder.start_utt()
            self._decoder.process_raw(_as_int16(sound), full_utt=True)
            self._decoder.end_utt()
        except RuntimeError:  # what it raises wherever it finds no way through
            return None
        spans = [
            (part.start_frame * FRAME_SECONDS, (part.end_frame + 1) * FRAME_SECONDS)
            for part in self._decoder.seg() or ()
            if part.word[0] not in FILLERS
        ]
        return _of_letters(words, spans) if len(spans) == len(words) else None


def _as_int16(sound: Wave) -> bytes:
    scaled = sound / max(1e-6, float(np.abs(sound).max())) * 0.9
    return (scaled * 32767.0).round().astype("<i2").tobytes()


def _of_letters(words: Sequence[str], spans: Sequence[tuple[float, float]]) -> list[float]:
    times: list[float] = []
    ended = None
    for word, (start, end) in zip(words, spans, strict=True):
        if ended is not None:
            times.append(ended)
        times += np.linspace(start, end, len(word), endpoint=False).tolist()
        ended = end
    return times
