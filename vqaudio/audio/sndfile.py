"""libsndfile on files that are open already: without a look at their names, errors kept, no needless seeks."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import soundfile


class GuardedFile:
    """What libsndfile needs of a file, with its name hidden and its errors kept.

    Without a name, only content decides the format: a text called ``x.vox`` is not taken for headerless sound. Errors,
    and Ctrl-C, cannot pass through C code, so they wait here until :meth:`check`.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.error: OSError | KeyboardInterrupt | None = None
        self.tell = file.tell

    def _attempt(self, action: Callable[..., int], *arguments: Any) -> int:
        try:
            return action(*arguments)
        except (OSError, KeyboardInterrupt) as error:
            self.error = self.error or error
            return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """The new place in the file; 0 after an error."""
        return self._attempt(self._file.seek, offset, whence)

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes; none after an error."""
        buffer = bytearray(count)
        return bytes(buffer[: self.readinto(buffer)])

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the file goes; returns how many bytes that was, 0 after an error."""
        return self._attempt(self._file.readinto, buffer)  # type: ignore[attr-defined]

    def write(self, data: bytes) -> int:
        """Returns how many bytes were written, 0 after an error."""
        return self._attempt(self._file.write, data)

    def check(self) -> None:
        """Raise the first error that was met."""
        if self.error is not None:
            raise self.error


class SequentialSoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A ``SoundFile`` that does not seek after each read or write, as the original does.

    Within lossy formats those seeks are slow and change the samples by a rounding error.
    """

    def seekable(self) -> bool:
        """Say that it cannot, which only switches those seeks off; ``seek`` itself works."""
        return False
