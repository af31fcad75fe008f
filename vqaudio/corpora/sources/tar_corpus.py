"""Which tars a corpus is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from vqaudio.audio.recordings import corpus_of
from vqaudio.corpora import storage
from vqaudio.corpora.corpus import PART, Corpus, digest_of, refuse_unknown
from vqaudio.corpora.sources import braces, tars
from vqaudio.corpora.utterance import Part
from vqaudio.errors import CorpusError


class TarCorpus(Corpus):
    """The corpus of tars, of ``sizes`` in bytes by their paths, each of which is a part.

    The first folder on the way from the folder that they are all in is what a tar's utterances belong to.

    Raises:
        CorpusError: one of ``corpora`` is not there.
    """

    def __init__(self, source: str, sizes: Mapping[str, int], corpora: Sequence[str]):
        self.source = source
        folder = _common_folder(sizes)
        names = {path: path.removeprefix(folder) for path in sizes}
        known = {path: corpus_of(PurePosixPath(name)) for path, name in names.items()}
        if corpora:
            refuse_unknown(source, corpora, set(known.values()))
        self._tars = [(path, names[path], known[path]) for path in sizes if not corpora or known[path] in corpora]
        self._digest = digest_of(["tars", *(f"{name} {sizes[path]}" for path, name, _ in self._tars)])

    @property
    def digest(self) -> str:
        return self._digest

    def parts(self, size: int = PART) -> Iterator[Part]:
        for index, (path, name, corpus) in enumerate(self._tars):
            yield tars.TarPart(index, f"{index:06}", _everywhere(path), name, corpus)


def sizes_of(pattern: str) -> dict[str, int]:
    """The tars that a pattern names, with their sizes in bytes; where nobody lists files, as on the web, they are 0.

    Raises:
        CorpusError: some are not there.
    """
    paths = list(dict.fromkeys(braces.expanded(pattern)))
    if storage.protocol_of(pattern) in ("http", "https"):
        return dict.fromkeys(paths, 0)
    sizes: dict[str, int] = {}
    for folder in dict.fromkeys(path.rpartition("/")[0] for path in paths):
        there = storage.list(folder or ".")
        sizes |= {f"{folder}/{name}" if folder else name: size for name, size in there.items()}
    missing = [path for path in paths if path not in sizes]
    if missing:
        raise CorpusError(
            f"{pattern}: {len(missing)} of {len(paths)} files are not there, the first of them {missing[0]}"
        )
    wrong = [path for path in paths if not path.lower().endswith(tars.SUFFIXES)]
    if wrong:
        raise CorpusError(
            f"{wrong[0]}: is no tar; names in braces are for files that end in {', '.join(tars.SUFFIXES)}"
        )
    return {path: sizes[path] for path in paths}


def _common_folder(paths: Iterable[str]) -> str:
    """The folder that all are in, with its slash; nothing where there is none."""
    ways = [folder.split("/") for folder in {path.rpartition("/")[0] for path in paths} if folder]
    common = []
    for steps in zip(*ways, strict=False):
        if len(set(steps)) > 1:
            break
        common.append(steps[0])
    return "/".join([*common, ""])


def _everywhere(path: str) -> str:
    """A path that other processes understand too."""
    return path if storage.is_url(path) else os.path.abspath(storage.plain(path))
