"""A folder of sound files as a list of recordings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import PurePosixPath

from vqaudio.audio.file_source import SUFFIXES
from vqaudio.audio.recordings import corpus_of
from vqaudio.corpora import storage
from vqaudio.corpora.listing import Listed, Listing
from vqaudio.corpora.utterance import Utterance


class Folder(Listing):
    """All files in a folder, and in those below it, whose names end as audio does, in the order of their paths.

    Ids are paths; the first folder on the way is the corpus (:mod:`vqaudio.audio.recordings`).

    Raises:
        FileError: it cannot be listed.
    """

    def __init__(self, folder: str):
        self.base = folder if storage.is_url(folder) else os.path.abspath(storage.plain(folder))
        self._listed = tuple(storage.walk(folder)) if storage.is_url(folder) else None  # asked once

    @property
    def is_empty(self) -> bool:
        """Whether it holds no sound."""
        return next(self.rows(), None) is None

    def rows(self) -> Iterator[Listed]:
        for name, _ in self._files():
            yield Listed(Utterance(name, name, corpus_of(PurePosixPath(name)), ""))

    def _files(self) -> Iterator[tuple[str, int]]:
        for name, size in self._listed or storage.walk(self.base):
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                yield name, size

    def digest(self) -> str:
        """Of names and sizes."""
        sha = hashlib.sha256(b"folder")
        for name, size in self._files():
            sha.update(f"{name}\0{size}\0".encode(errors="surrogatepass"))
        return sha.hexdigest()
