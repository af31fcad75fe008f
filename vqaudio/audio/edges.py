"""What stands beyond both ends of a sound: the sound itself, mirrored.

With silence there, encoder, decoder and resampling hear a sound that begins or ends in the middle of a word fade.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.source import Source, Window


def mirrored(places: NDArray[Any], count: int) -> NDArray[Any]:
    """For places anywhere the place in ``[0, count)`` that they mirror: -1 is 0 again, ``count`` is ``count - 1``.

    >>> mirrored(np.arange(-2, 5), 3)
    array([1, 0, 0, 1, 2, 2, 1])
    """
    if not places.size or places[-1] < count:  # the end, of a sound whose end is not known yet, is far
        places = np.where(places < 0, -1 - places, places)
        if places.max(initial=0) < count:
            return places
    within = places % (2 * count)
    return np.where(within < count, within, 2 * count - 1 - within)


class Mirrored:
    """A source that goes on for ``reach`` samples beyond both ends, mirrored there as often as that takes.

    Further out it is silent, as sources are. Windows of it begin, in the source, up to ``reach`` samples earlier, so
    that a source that is read once can meet its end.
    """

    def __init__(self, source: Source, reach: int):
        self.source, self.reach = source, reach
        self.sample_rate, self.channels = source.sample_rate, source.channels

    @property
    def n_samples(self) -> int:
        """Of the source: see :attr:`vqaudio.audio.source.Source.n_samples`."""
        return self.source.n_samples

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop``: see :meth:`vqaudio.audio.source.Source.read`; not so beyond the ends."""
        first, last = max(start, -self.reach), min(stop, self.n_samples + self.reach)
        if first >= last:
            return np.zeros((self.channels, stop - start), np.float32)
        begin = max(0, min(first, self.n_samples) - self.reach)
        near = self.source.read(begin, max(last, -first))
        last = max(first, min(last, self.n_samples + self.reach))  # the end may have been met only now
        places = mirrored(np.arange(first, last), self.n_samples)
        window = near[:, places - begin]
        return np.pad(window, ((0, 0), (first - start, stop - last)))
