"""WebDataset tars as a corpus: each tar is a part, and files in it of one name but for the suffix are an utterance.

The convention is that of the webdataset library (https://github.com/webdataset/webdataset): files of a sample follow
each other, and their names are equal up to the first dot behind the last slash. The one that ends as sound does is
heard; ``.txt`` beside it is what is said, ``.cls`` the label, and ``.json`` an object that may hold the keys ``text``,
``speaker``, ``label``, ``split`` and ``seconds``, by any of their names (:data:`vqaudio.corpora.columns.NAMES`).
"""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import IO, Any

from vqaudio.audio.file_source import SUFFIXES as SOUND
from vqaudio.audio.recordings import VALID_EVERY
from vqaudio.corpora import storage
from vqaudio.corpora.columns import facts_in
from vqaudio.corpora.reading import cut, opened
from vqaudio.corpora.utterance import Heard, Part, Utterance, escaped, in_unicode, unheard
from vqaudio.errors import CorpusError, VqaudioError
from vqaudio.files import Readable, copy_to_temporary

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_TEXTS = ("txt", "cls", "json")
_MOST_TEXT = 1 << 20  # bytes of one
_BLOCK = 512  # bytes, of which a tar's headers are
_BUFFER = 1 << 16  # bytes read at once
_DAMAGED = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)


@dataclass
class _Sample:
    """What is known of an utterance before it is decoded: the files of a sample.

    ``sounds`` are those that sound, by name, as far as they were copied; whoever takes the sample closes them.
    """

    key: str
    number: int
    sounds: dict[str, IO[bytes] | None] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)

    def close(self) -> None:
        for file in filter(None, self.sounds.values()):
            file.close()


@dataclass(frozen=True)
class TarPart(Part):
    """A tar, read once from its beginning to its end: no more than one sample of it is held, on the disk.

    Attributes:
        path: where it is. tar: the same as seen from the folder of all. corpus: what its utterances belong to.
        only: the one sample that is heard, by its number, or None for all.
    """

    path: str
    tar: str
    corpus: str
    only: int | None = None

    def read(self, sample_rate: int) -> Iterator[Heard]:
        keys: set[str] = set()
        number = 0
        try:
            for sample in self._samples(lambda number: self.only in (None, number)):
                number = sample.number + 1
                if self.only in (None, sample.number):
                    with ExitStack() as stack:
                        stack.callback(sample.close)
                        yield self._heard(sample, sample_rate, again=sample.key in keys)
                keys.add(sample.key)
        except (VqaudioError, *_DAMAGED) as error:
            if self.only is None or self.only >= number:
                damage = f"{self.path}: is damaged behind {number} samples ({error}); get a whole copy"
                yield self._lost(), unheard(error) if isinstance(error, VqaudioError) else damage

    def singly(self) -> Iterator[tuple[Utterance, Part]]:
        number = 0
        try:
            for sample in self._samples(lambda number: False):
                utterance, _ = self._utterance(sample)
                yield utterance, replace(self, only=sample.number)
                number = sample.number + 1
        except (VqaudioError, *_DAMAGED):
            yield self._lost(), replace(self, only=number)  # which says so

    def _lost(self) -> Utterance:
        """What stands for the rest of a tar."""
        return Utterance(self.tar, self.tar, self.corpus, "train")

    def _utterance(self, sample: _Sample) -> tuple[Utterance, str]:
        """A sample as an utterance, and why it cannot be heard, if so."""
        member = next(iter(sample.sounds), sample.key)
        name = f"{self.path}/{member}"
        split = "valid" if (self.index + sample.number) % VALID_EVERY == VALID_EVERY - 1 else "train"
        place = self.tar[: -len(next(each for each in SUFFIXES if self.tar.lower().endswith(each)))]
        utterance = Utterance(f"{place}/{sample.key}", f"{self.tar}/{member}", self.corpus, split)
        try:
            utterance = _described(utterance, sample.texts, name)
        except VqaudioError as error:
            return in_unicode(utterance)[0], str(error)
        if len(sample.sounds) != 1:
            found = ", ".join(sample.sounds) or "none"
            problem = f"{name}: is a sample with the sounds {found}; expected one for each name"
            return in_unicode(utterance)[0], escaped(problem)
        return in_unicode(utterance)

    def _heard(self, sample: _Sample, sample_rate: int, *, again: bool) -> Heard:
        """A sample as an utterance, with its sound or why it has none."""
        utterance, problem = self._utterance(sample)
        if again:
            problem = f"{self.path}/{sample.key}: another sample of this name stands before; pack each once"
        if problem:
            return utterance, problem
        ((member, file),) = sample.sounds.items()
        assert file is not None
        name = f"{self.path}/{member}"
        try:
            with ExitStack() as stack:
                return utterance, cut(opened(file, name, sample_rate, stack), utterance, name)
        except VqaudioError as error:
            return utterance, unheard(error)

    def _samples(self, is_heard: Callable[[int], bool]) -> Iterator[_Sample]:
        """The samples of the tar, one after another; the sounds are copied of those that are heard, by their numbers.

        Raises:
            FileError: it cannot be read. CorpusError: it has none, or ends too early. One of ``_DAMAGED``: it is.
        """
        sample: _Sample | None = None
        with ExitStack() as stack:
            stack.callback(lambda: sample.close() if sample is not None else None)
            file: Readable = stack.enter_context(packed := storage.open_read(self.path))
            if self.path.lower().endswith("gz"):
                file = stack.enter_context(gzip.GzipFile(fileobj=packed))
            tail = _Tail(file)
            tar: tarfile.TarFile = stack.enter_context(
                tarfile.open(fileobj=tail, mode="r|", bufsize=_BUFFER)  # type: ignore[call-overload]
            )
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # which would hold them all
                key, suffix = _key_and_suffix(member.name)
                is_sound = f".{suffix}" in SOUND
                if not member.isfile() or not (is_sound or suffix in _TEXTS) or key.startswith("__"):
                    continue
                if sample is None or key != sample.key:
                    if sample is not None:
                        yield sample
                    sample = _Sample(key, 0 if sample is None else sample.number + 1)
                content = tar.extractfile(member)
                assert content is not None  # it is a file
                if not is_sound:
                    sample.texts[suffix] = content.read(_MOST_TEXT + 1)
                elif is_heard(sample.number):
                    sample.sounds[member.name] = copy_to_temporary(content, f"{self.path}/{member.name}")
                else:
                    sample.sounds[member.name] = None
            if sample is None:
                raise CorpusError(f"{self.path}: holds no samples, expected sound files; pack it again")
            yield sample
            if any(tail.block(tar.offset)) or not tail.block(tar.offset):
                said = f"ends behind {sample.key}, without the mark of an end; get a whole copy"
                raise CorpusError(f"{self.path}: {said}")


class _Tail:
    """A file that is read once, of which the last pieces can be seen again."""

    def __init__(self, file: Readable):
        self._file = file
        self._kept, self._start = b"", 0

    def read(self, count: int) -> bytes:
        piece = self._file.read(count)
        dropped = max(0, len(self._kept) - _BUFFER)
        self._kept, self._start = self._kept[dropped:] + piece, self._start + dropped
        return piece

    def block(self, at: int) -> bytes:
        """The block at a place among the last; nothing where the file ends before it does."""
        found = self._kept[at - self._start : at - self._start + _BLOCK]
        return found if len(found) == _BLOCK else b""


def _key_and_suffix(name: str) -> tuple[str, str]:
    """The key of the sample that a file belongs to, and its last suffix in small letters."""
    folder, slash, file = name.removeprefix("./").rpartition("/")
    key, _, rest = file.partition(".")
    return folder + slash + key, rest.rpartition(".")[2].lower()


def _described(utterance: Utterance, texts: dict[str, bytes], name: str) -> Utterance:
    """An utterance with what stands beside it.

    Raises:
        CorpusError: it is too long, no text in UTF-8, or no object where one should be.
    """
    known: dict[str, Any] = {}
    for suffix, data in sorted(texts.items(), key=lambda item: _TEXTS.index(item[0]), reverse=True):
        if len(data) > _MOST_TEXT:
            raise CorpusError(f"{name}: its .{suffix} is longer than {_MOST_TEXT >> 20} MiB; shorten it")
        try:
            text = data.decode("utf-8-sig").strip()
            found = json.loads(text) if suffix == "json" else {"txt": {"text": text}, "cls": {"label": text}}[suffix]
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{name}: its .{suffix} cannot be read ({error}); pack it again") from None
        if not isinstance(found, dict):
            raise CorpusError(f"{name}: its .json holds no object; pack it again")
        known |= facts_in(found)
    return replace(utterance, **known)
