"""A corpus: utterances in parts, whatever lists them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count, islice

from vqaudio.corpora.listing import Listed, ListedPart, Listing, checked
from vqaudio.corpora.utterance import Part
from vqaudio.errors import CorpusError, choice

PART = 128
"""Utterances in a part."""


class Corpus(ABC):
    """Utterances, in an order that is always the same.

    Attributes:
        source: what it was opened as.
    """

    source: str

    @property
    @abstractmethod
    def digest(self) -> str:
        """Equal for the same source and choice of corpora, wherever it is.

        What recordings sound like is not looked at: of listed ones the list counts, of files in a folder, and of tars,
        names and sizes.
        """

    @abstractmethod
    def parts(self, size: int = PART) -> Iterator[Part]:
        """The utterances in parts of ``size``, or, of tars, of one tar each; listed as they are asked for."""


class ListedCorpus(Corpus):
    """The corpus of a source that lists its recordings."""

    def __init__(self, source: str, listing: Listing, corpora: Sequence[str]):
        self.source = source
        self._listing = listing
        self._corpora = frozenset(corpora)
        if corpora:
            refuse_unknown(source, corpora, {row.utterance.corpus for row in listing.rows()})

    @cached_property
    def digest(self) -> str:
        return digest_of([self._listing.digest(), *sorted(self._corpora)])

    def parts(self, size: int = PART) -> Iterator[Part]:
        rows = self._chosen(checked(self._listing.rows()))
        for index in count():
            some = tuple(islice(rows, size))
            if not some:
                return
            yield ListedPart(index, f"{index:06}", self._listing.base, some)

    def _chosen(self, rows: Iterable[Listed]) -> Iterator[Listed]:
        return (row for row in rows if not self._corpora or row.utterance.corpus in self._corpora)


def refuse_unknown(source: str, wanted: Iterable[str], known: Collection[str]) -> None:
    """Do nothing if all that are wanted are known.

    Raises:
        CorpusError: one is not.
    """
    for name in wanted:
        if name not in known:
            raise CorpusError(f"{source}: has no corpus {name}; {choice(name, sorted(known))}")


def digest_of(texts: Iterable[str]) -> str:
    """The SHA-256 of some texts in their order, in hexadecimal."""
    sha = hashlib.sha256()
    for text in texts:
        sha.update(f"{text}\0".encode(errors="surrogatepass"))
    return sha.hexdigest()
