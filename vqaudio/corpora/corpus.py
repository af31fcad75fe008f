"""What SOURCE is: a corpus of utterances in parts, found out from its name and what it holds."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import count, islice
from pathlib import PurePosixPath

from vqaudio.audio.recordings import MANIFEST
from vqaudio.corpora import storage
from vqaudio.corpora.listing import Listed, ListedPart, Listing, checked
from vqaudio.corpora.sources.delimited import SUFFIXES, Delimited
from vqaudio.corpora.sources.folder import Folder
from vqaudio.corpora.utterance import Part
from vqaudio.errors import CorpusError, FileError, choice

PART = 128
"""Utterances in a part."""


class Corpus(ABC):
    """Utterances, in an order that is always the same.

    Attributes:
        source: what it was opened as.
        digest: equal for the same source and choice of corpora. What recordings sound like is not looked at: of listed
            ones the list counts, of files in a folder names and sizes.
    """

    source: str

    @cached_property
    @abstractmethod
    def digest(self) -> str: ...

    @abstractmethod
    def parts(self, size: int = PART) -> Iterator[Part]:
        """The utterances in parts of ``size``, or, of tars, of one tar each; listed as they are asked for."""


def open_corpus(source: str, *, corpora: Sequence[str] = ()) -> Corpus:
    """The corpus that a folder or file, local or by URL, holds; of several corpora in it only those named, if any are.

    Raises:
        FileError: there is no such file, or it cannot be read.
        CorpusError: it is no source of any kind, or lacks what its kind needs, or one of ``corpora``.
    """
    return ListedCorpus(source, _listing(source), corpora)


def _listing(source: str) -> Listing:
    if storage.is_folder(source):
        manifest = storage.join(source, MANIFEST)
        return Delimited(manifest, source) if storage.exists(manifest) else Folder(source)
    if not storage.exists(source):
        raise FileError(f"{source}: no such file or folder; check the name")
    if PurePosixPath(source).suffix.lower() in SUFFIXES:
        return Delimited(source, source.rpartition("/")[0])
    raise CorpusError(f"{source}: is no source of recordings; expected a folder, or a manifest in .csv or .tsv")


class ListedCorpus(Corpus):
    """The corpus of a source that lists its recordings."""

    def __init__(self, source: str, listing: Listing, corpora: Sequence[str]):
        self.source = source
        self._listing = listing
        self._corpora = frozenset(corpora)
        if corpora:
            known = sorted({row.utterance.corpus for row in listing.rows()})
            for name in corpora:
                if name not in known:
                    raise CorpusError(f"{source}: has no corpus {name}; {choice(name, known)}")

    @cached_property
    def digest(self) -> str:
        chosen = "\0".join([self._listing.digest(), *sorted(self._corpora)])
        return hashlib.sha256(chosen.encode()).hexdigest()

    def parts(self, size: int = PART) -> Iterator[Part]:
        rows = self._rows()
        for index in count():
            some = tuple(islice(rows, size))
            if not some:
                return
            yield ListedPart(index, f"{index:06}", self._listing.base, some)

    def _rows(self) -> Iterator[Listed]:
        for row in checked(self._listing.rows()):
            if not self._corpora or row.utterance.corpus in self._corpora:
                yield row
