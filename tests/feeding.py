"""What feeds pipes in tests, and hears what arrives."""

from __future__ import annotations

import os
import struct
import threading

import numpy as np

from vqaudio.audio.file_source import FileSource
from vqaudio.audio.live.source import PipeSource


class Feeder:
    """The far end of a pipe, and the path of the near one."""

    def __init__(self) -> None:
        self._near, self._far = os.pipe()
        self.path = f"/dev/fd/{self._near}"
        self._threads: list[threading.Thread] = []

    def write(self, data: bytes) -> None:
        """From another thread, as pipes are short."""
        self._threads.append(threading.Thread(target=self._write, args=[data]))
        self._threads[-1].start()

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._far, data) :]

    def settle(self) -> None:
        """Wait until all is written."""
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        self.settle()
        far, self._far = self._far, -1  # whichever thread comes first
        if far >= 0:
            os.close(far)

    def close(self) -> None:
        self.end()
        os.close(self._near)


def heard_in_windows(sound: PipeSource | FileSource, size: int = 701, context: int = 99) -> np.ndarray:
    """The sound from windows that overlap, as blocks read them."""
    pieces, start = [], 0
    while start < sound.n_samples:
        pieces.append(sound.read(start - context, start + size + context)[:, context : context + size])
        start += size
    samples = np.concatenate(pieces, axis=1)
    assert not samples[:, sound.n_samples :].any()
    return samples[:, : sound.n_samples]


def sized(data: bytes, size: int) -> bytes:
    """A WAV whose header says another size."""
    at = data.index(b"data") + 4
    return data[:4] + struct.pack("<I", size) + data[8:at] + struct.pack("<I", size) + data[at + 4 :]
