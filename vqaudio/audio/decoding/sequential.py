"""A chain of streams, read on and on."""

from __future__ import annotations

import numpy as np

from vqaudio.audio.decoding.chain import Chain, Samples

_PIECE = 1 << 16  # samples skipped at a time
_LOST = 1 << 63  # the place after a failure: behind every sample, so that whatever follows starts again


class SequentialReader:
    """A file's sound for those who read on and on; going back starts again from the first sample."""

    def __init__(self, chain: Chain):
        self._chain = chain
        self._restart()

    def _restart(self) -> None:
        self._blocks = self._chain.blocks()
        self._position = 0
        self._rest = np.zeros((0, self._chain.channels), np.float32)

    def read(self, count: int) -> Samples:
        """The next ``count`` samples as ``(count, channels)``: fewer at the end."""
        pieces, left = [], count
        position, self._position = self._position, _LOST
        while left > 0:
            if not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block
            pieces.append(self._rest[:left])
            self._rest = self._rest[left:]
            left -= len(pieces[-1])
        self._position = position + count - left
        return np.concatenate([np.zeros((0, self._chain.channels), np.float32), *pieces])

    def seek(self, position: int) -> None:
        """Go to a sample."""
        if position < self._position:
            self.close()
            self._restart()
        while self._position < position and len(self.read(min(_PIECE, position - self._position))):
            pass

    def close(self) -> None:
        """Leave the decoding."""
        self._blocks.close()
