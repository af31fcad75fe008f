"""Sound in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.source import MAX_CHANNELS, Window, check_rate, check_values, padded_window
from vqaudio.errors import AudioError


class ArraySource:
    """Samples in memory.

    ``wav``: floats ``(channels, samples)`` or ``(samples,)``, an array or a tensor; float32 arrays are not copied.

    >>> sound = ArraySource([0.5, -0.25], 16000)
    >>> sound.read(-1, 3)  # silence outside
    array([[ 0.  ,  0.5 , -0.25,  0.  ]], dtype=float32)

    Raises:
        AudioError: no samples, another shape or type, values that are not finite or far beyond full scale.
    """

    def __init__(self, wav: Any, sample_rate: int, *, name: str = "the array"):
        self.sample_rate = check_rate(sample_rate, name)
        samples = as_array(wav, name)
        if samples.dtype.kind != "f":
            raise AudioError(
                f"{name}: holds {samples.dtype}, expected floats with full scale at ±1; "
                "convert integers first (16-bit ones: wav.astype('float32') / 32768)"
            )
        if samples.ndim == 1:
            samples = samples[None]
        if samples.ndim != 2:
            raise AudioError(f"{name}: has the shape {samples.shape}, expected (channels, samples) or (samples,)")
        if samples.size == 0:
            raise AudioError(f"{name}: holds no samples (shape {samples.shape}), expected at least one")
        self.channels, self.n_samples = samples.shape
        if self.channels > MAX_CHANNELS or self.channels > max(self.n_samples, 32):
            raise AudioError(
                f"{name}: has the shape {samples.shape}, that is {self.channels} channels, expected "
                f"(channels, samples) with at most {MAX_CHANNELS} channels; transpose it"
            )
        with np.errstate(over="ignore"):  # what overflows is refused below
            self._samples: Window = samples.astype(np.float32, copy=False)
        check_values(self._samples, name, start=0, sample_rate=self.sample_rate)

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`vqaudio.audio.source.Source.read`."""
        return padded_window(self, lambda first, last: self._samples[:, first:last], start=start, stop=stop)


def as_array(wav: Any, name: str) -> NDArray[Any]:
    """An array or a tensor, wherever it is, as an array of any shape; ``name`` is for the message.

    Raises:
        AudioError: it is not rectangular.
    """
    if hasattr(wav, "detach"):  # a torch tensor, known by its methods so that torch is not imported
        wav = wav.detach().cpu()
        wav = (wav.float() if wav.is_floating_point() else wav).numpy()  # numpy has no bfloat16
    try:
        return np.asarray(wav)
    except ValueError:
        raise AudioError(f"{name}: is not a rectangular array, expected (channels, samples)") from None
