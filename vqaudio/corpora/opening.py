"""Which kind of source SOURCE is, by its name and what it holds."""

from __future__ import annotations

from collections.abc import Sequence

from vqaudio.audio.recordings import MANIFEST
from vqaudio.corpora import storage
from vqaudio.corpora.corpus import Corpus, ListedCorpus
from vqaudio.corpora.listing import Listing
from vqaudio.corpora.sources import braces, delimited, jsonl, kaldi, lhotse, parquet, tars
from vqaudio.corpora.sources.folder import Folder
from vqaudio.corpora.sources.tar_corpus import TarCorpus, sizes_of
from vqaudio.errors import CorpusError, FileError

_LISTS = (*delimited.SUFFIXES, *parquet.SUFFIXES, *jsonl.SUFFIXES, *kaldi.SUFFIXES)


def open_corpus(source: str, *, corpora: Sequence[str] = ()) -> Corpus:
    """The corpus that a folder or file, local or by URL, holds; of several corpora in it only those named, if any are.

    Raises:
        FileError: there is no such file, or it cannot be read.
        CorpusError: it is no source of any kind, or lacks what its kind needs, or one of ``corpora``.
    """
    if source.startswith("pipe:") or source.rstrip().endswith("|"):
        raise CorpusError(f"{source}: is a command, and commands are not run; name files, by path or URL")
    if not storage.exists(source) and braces.is_pattern(source):
        return TarCorpus(source, sizes_of(source), corpora)
    if storage.is_folder(source):
        return _in_folder(source, corpora)
    if not storage.exists(source):
        raise FileError(f"{source}: no such file or folder; check the name")
    if source.lower().endswith(tars.SUFFIXES):
        return TarCorpus(source, sizes_of(source), corpora)
    return ListedCorpus(source, _listing(source), corpora)


def _in_folder(folder: str, corpora: Sequence[str]) -> Corpus:
    """What a folder holds: the first of a manifest, Kaldi's list, sound files and tars."""
    if storage.exists(manifest := storage.join(folder, MANIFEST)):
        return ListedCorpus(folder, delimited.Delimited(manifest), corpora)
    if storage.exists(wav_scp := storage.join(folder, kaldi.WAV_SCP)):
        return ListedCorpus(folder, kaldi.Kaldi(wav_scp), corpora)
    files = Folder(folder)
    if not files.is_empty:
        return ListedCorpus(folder, files, corpora)
    found = {name: size for name, size in storage.walk(folder) if name.lower().endswith(tars.SUFFIXES)}
    if found:
        return TarCorpus(folder, {storage.join(folder, name): size for name, size in found.items()}, corpora)
    lists = [name for name in storage.list(folder) if name.lower().endswith(_LISTS)]
    also = f"; there is {lists[0]}: name that file" if lists else ""
    raise CorpusError(f"{folder}: holds neither sound nor {MANIFEST}, {kaldi.WAV_SCP} or tars{also}")


def _listing(path: str) -> Listing:
    """A file that lists recordings, by how its name ends and, of JSON, what its first line holds."""
    name = path.lower()
    if name.endswith(delimited.SUFFIXES):
        return delimited.Delimited(path)
    if name.endswith(parquet.SUFFIXES):
        return parquet.Parquet(path)
    if name.endswith(kaldi.SUFFIXES):
        return kaldi.Kaldi(path)
    if name.endswith(jsonl.SUFFIXES):
        _, first = next(jsonl.json_lines(path), ("", {}))
        return (
            lhotse.Lhotse(path, first) if isinstance(first, dict) and lhotse.is_lhotse(first) else jsonl.JsonLines(path)
        )
    expected = f"{', '.join(_LISTS)}, or a tar"
    raise CorpusError(f"{path}: is no source of recordings; expected a folder, or a file that ends in {expected}")
