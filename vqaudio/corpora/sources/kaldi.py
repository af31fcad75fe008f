"""Kaldi's data directories as a list of recordings: ``wav.scp``, and ``segments``, ``text`` and ``utt2spk`` beside it.

Each is lines of a name and what belongs to it (https://kaldi-asr.org/doc/data_prep.html). Kaldi wants them all in one
order, in which they are read side by side; in another order the lines that were passed wait in memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from vqaudio.corpora import storage
from vqaudio.corpora.columns import corpus_in
from vqaudio.corpora.listing import Listed, Listing, base_of, digest_of_files
from vqaudio.corpora.utterance import Utterance
from vqaudio.errors import CorpusError

WAV_SCP = "wav.scp"
SUFFIXES = (".scp",)
_BESIDE = ("segments", "text", "utt2spk", "utt2dur", "reco2dur")
_TO_THE_END = -1.0  # the end of a segment
_IN_ARCHIVE = re.compile(r"\.ark:\d+$")


class Kaldi(Listing):
    """A ``wav.scp``, and what stands beside it. Lines that are commands are not run.

    Raises:
        FileError: it cannot be read. CorpusError: it is empty, or its first line names no file.
    """

    def __init__(self, wav_scp: str):
        self._wav_scp = wav_scp
        folder, slash, _ = wav_scp.rpartition("/")
        places = {name: f"{folder}{slash}{name}" for name in _BESIDE}
        self._beside = {name: place for name, place in places.items() if storage.exists(place)}
        first = next(_lines(wav_scp), None)
        if first is None:
            raise CorpusError(f"{wav_scp}: is empty, expected a name and a path on each line")
        _, _, path = first
        if problem := _problem(path):
            raise CorpusError(f"{wav_scp}: line 1 {problem}")
        self.base = base_of(wav_scp, path)

    def rows(self) -> Iterator[Listed]:
        texts, speakers = (_Beside(self._beside.get(name)) for name in ("text", "utt2spk"))
        for row in self._segments() if "segments" in self._beside else self._recordings():
            known = vars(row.utterance)
            name = row.utterance.id
            utterance = Utterance(**(known | {"text": texts.take(name), "speaker": speakers.take(name)}))
            yield Listed(utterance, row.problem)

    def _recordings(self) -> Iterator[Listed]:
        """What ``wav.scp`` lists."""
        lengths = _Beside(self._beside.get("utt2dur") or self._beside.get("reco2dur"))
        for number, name, path in _lines(self._wav_scp):
            problem = _problem(path)
            utterance = Utterance(name, path, corpus_in(path), "", seconds=_number(lengths.take(name)))
            yield Listed(utterance, f"{self._wav_scp}: line {number} {problem}" if problem else "")

    def _segments(self) -> Iterator[Listed]:
        """What ``segments`` cuts out of these."""
        paths = {name: path for _, name, path in _lines(self._wav_scp)}
        place = self._beside["segments"]
        for number, name, rest in _lines(place):
            recording, *times = rest.split() or [""]
            path = paths.get(recording)
            if path is None:
                said = f"names {recording or 'nothing'}, expected a recording of {WAV_SCP}; correct it"
                problem = f"{place}: line {number} {said}"
            elif problem := _problem(path):
                problem = f"{self._wav_scp}: {recording} {problem}"
            if problem:
                yield Listed(Utterance(name, path or "", corpus_in(path or ""), ""), problem)
            else:
                yield _segment(name, path or "", times, f"{place}: line {number}")

    def digest(self) -> str:
        return digest_of_files("kaldi", [self._wav_scp, *self._beside.values()])


def _segment(name: str, path: str, times: list[str], where: str) -> Listed:
    """A recording from one time to another, and a channel where a third number tells it."""
    begin, end, channel = (_number(text) for text in (*times, "", "", "")[:3])
    utterance = Utterance(name, path, corpus_in(path), "")
    if begin is None or begin < 0 or end is None or not (end > begin or end == _TO_THE_END) or len(times) > 3:
        said = f"{where} says {' '.join(times) or 'nothing'}, expected when it begins and ends, in seconds"
        return Listed(utterance, said)
    duration = None if end == _TO_THE_END else end - begin
    heard = None if channel is None or channel < 0 else int(channel)
    known = {"begin": begin, "duration": duration, "seconds": duration, "channel": heard}
    return Listed(Utterance(**(vars(utterance) | known)))


class _Beside:
    """What belongs to names, from a file in about the order in which they are asked for."""

    def __init__(self, path: str | None):
        self._lines = iter(()) if path is None else _lines(path)
        self._passed: dict[str, str] = {}

    def take(self, name: str) -> str:
        """What belongs to a name, once; nothing for one that is not there."""
        if name in self._passed:
            return self._passed.pop(name)
        for _, other, rest in self._lines:
            if other == name:
                return rest
            self._passed[other] = rest
        return ""


def _lines(path: str) -> Iterator[tuple[int, str, str]]:
    """Lines with their numbers, each as a name and what belongs to it; empty ones are left out."""
    with storage.open_read(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                name, _, rest = line.decode().strip().replace("\t", " ").partition(" ")
            except UnicodeDecodeError as error:
                raise CorpusError(f"{path}: line {number} is no text in UTF-8 ({error.reason}); save it so") from None
            if name:
                yield number, name, rest.strip()


def _problem(path: str) -> str:
    """What is wrong with a path, as the rest of a sentence."""
    if not path:
        return "has no path, expected a name and a path"
    if path.endswith("|"):
        return f"is a command ({path}), and commands are not run; name the sound file itself, or what it writes"
    if _IN_ARCHIVE.search(path):
        return f"names a place in an archive ({path}), expected a sound file; write the recordings as files or tars"
    return ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
