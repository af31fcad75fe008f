"""Recordings of a corpus as sound, wherever they are."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.resampling import resample
from vqaudio.audio.source import Source
from vqaudio.corpora import storage
from vqaudio.corpora.utterance import Utterance, unheard
from vqaudio.errors import AudioError, AudioWarning, VqaudioError

OVERSHOOT = 0.5
"""Seconds by which an utterance may reach beyond the end of its recording: lists round, or count padding."""


class RecordingReader:
    """Reads utterances at ``sample_rate`` (Hz), mono. A context manager.

    The last recording stays open, because the next utterance may be cut out of it too.
    """

    def __init__(self, sample_rate: int):
        self._sample_rate = sample_rate
        self._open = ExitStack()
        self._path: str | None = None
        self._sound: Source

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def read(self, utterance: Utterance, path: str) -> NDArray[np.float32] | str:
        """The sound of an utterance ``(samples,)``, whose recording is at ``path``, or a sentence that says why not."""
        try:
            if path != self._path:
                self._open.close()
                self._path = None
                file = self._open.enter_context(storage.open_local(path))
                self._sound = opened(file, path, self._sample_rate, self._open)
                self._path = path
            return cut(self._sound, utterance, path)
        except VqaudioError as error:
            return unheard(error)


def opened(file: IO[bytes], name: str, sample_rate: int, stack: ExitStack) -> Source:
    """The sound of a file at a rate (Hz), until ``stack`` is closed.

    Warns with :class:`vqaudio.errors.AudioWarning` of what it lacks.

    Raises:
        AudioError: it is no sound file, or is damaged.
    """
    source = stack.enter_context(FileSource(file, name))
    for problem in source.problems:
        warnings.warn(problem, AudioWarning, stacklevel=2)
    return resample(source, sample_rate)


def cut(sound: Source, utterance: Utterance, name: str) -> NDArray[np.float32]:
    """The samples of an utterance ``(samples,)``: its stretch of ``sound``, its channel or the mean of all.

    Raises:
        AudioError: it lies outside, there is no such channel, or what is there cannot be read.
    """
    rate, n_samples = sound.sample_rate, sound.n_samples
    first, last = round(utterance.begin * rate), n_samples
    if utterance.duration is not None:
        last = round((utterance.begin + utterance.duration) * rate)
    if not first < n_samples or last > n_samples + OVERSHOOT * rate:
        asked = f"from {utterance.begin:.3f} s" + (f" to {last / rate:.3f} s" if last != n_samples else " on")
        raise AudioError(
            f"{name}: lasts {n_samples / rate:.3f} s, but {utterance.id} is to be {asked} of it; correct its times"
        )
    channel = utterance.channel
    if channel is not None and channel >= sound.channels:
        raise AudioError(
            f"{name}: has {sound.channels} channels, but {utterance.id} is to be number {channel}, counted from 0"
        )
    window = sound.read(first, min(last, n_samples))
    mono: NDArray[np.float32] = window.mean(axis=0) if channel is None else window[channel]
    return mono
