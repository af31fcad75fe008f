"""A folder of sound files as a list of recordings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from vqaudio.audio.file_source import SUFFIXES
from vqaudio.audio.recordings import corpus_of
from vqaudio.corpora import storage
from vqaudio.corpora.listing import Listed, Listing
from vqaudio.corpora.utterance import Utterance
from vqaudio.errors import CorpusError


class Folder(Listing):
    """All files in a folder, and in those below it, whose names end as audio does, in the order of their paths.

    Ids are paths; the first folder on the way is the corpus (:mod:`vqaudio.audio.recordings`).

    Raises:
        FileError: it cannot be listed. CorpusError: it holds no sound.
    """

    def __init__(self, folder: str):
        self.base = folder
        found = storage.list(folder, below=True)
        self._sizes = {name: size for name, size in found.items() if PurePosixPath(name).suffix.lower() in SUFFIXES}
        if not self._sizes:
            held = f"none of its {len(found)} files is" if found else "it holds no files, expected"
            raise CorpusError(
                f"{folder}: {held} sound, a manifest or a tar; put WAV or FLAC files there, or name another SOURCE"
            )

    def rows(self) -> Iterator[Listed]:
        for name in self._sizes:
            yield Listed(Utterance(name, name, corpus_of(PurePosixPath(name)), ""))

    def digest(self) -> str:
        """Of names and sizes."""
        sha = hashlib.sha256(b"folder")
        for name, size in self._sizes.items():
            sha.update(f"{name}\0{size}\0".encode(errors="surrogatepass"))
        return sha.hexdigest()
