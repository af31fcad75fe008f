"""A sound that is still arriving."""

from __future__ import annotations

from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.source import Window, padded_window
from vqaudio.files.pipe import ENDLESS


class Arriving:
    """Sound whose end is met by reading, in windows that come in order."""

    def __init__(self, wav: Window, sample_rate: int):
        self._wav, self.sample_rate, self.channels = wav, sample_rate, len(wav)
        self.n_samples, self._passed = ENDLESS, 0

    def read(self, start: int, stop: int) -> Window:
        assert max(start, 0) >= self._passed, "what has passed is gone"
        self._passed = max(start, 0)
        if stop > self._wav.shape[1]:
            self.n_samples = self._wav.shape[1]
        whole = ArraySource(self._wav, self.sample_rate)
        return padded_window(whole, lambda first, last: self._wav[:, first:last], start=start, stop=stop)
