"""Rows of tables as utterances: what columns are called, and what may stand in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from vqaudio.audio.recordings import NO_CORPUS
from vqaudio.corpora.listing import Listed
from vqaudio.corpora.utterance import Utterance
from vqaudio.errors import CorpusError

NAMES: dict[str, tuple[str, ...]] = {
    "path": (
        "path",
        "audio_filepath",
        "audio_path",
        "audio_file",
        "file_path",
        "filepath",
        "file_name",
        "filename",
        "file",
        "wav_path",
        "wav_filename",
        "wav",
        "uri",
        "url",
        "audio",
    ),
    "id": ("id", "utterance_id", "utt_id", "uttid", "utt", "key", "sample_id"),
    "corpus": ("corpus", "dataset"),
    "split": ("split", "subset"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "client_id"),
    "label": ("label",),
    "text": ("text", "transcript", "transcription", "sentence", "normalized_text"),
    "starts": ("starts",),
    "seconds": ("seconds",),
    "begin": ("begin", "offset", "start", "start_time"),
    "end": ("end", "end_time"),
    "duration": ("duration", "dur"),
    "channel": ("channel",),
}
"""For each thing that is known of an utterance, the names that its column may have; the first that is there is taken.

Capitals do not matter, and spaces and hyphens are as good as ``_``.
"""


_TEXTS = frozenset(("id", "corpus", "split", "speaker", "label", "text"))
_NUMBERS = frozenset(("seconds", "begin", "end", "duration", "channel"))


class Columns:
    """Which columns of a table are which.

    Raises:
        CorpusError: none has the paths of recordings.
    """

    def __init__(self, names: Sequence[str], where: str):
        known = {plain_name(name): name for name in reversed(names)}
        found = {
            field: next((known[name] for name in choices if name in known), None) for field, choices in NAMES.items()
        }
        self._names = {field: name for field, name in found.items() if name is not None}
        if "path" not in self._names:
            shown = ", ".join(names) or "none"
            raise CorpusError(
                f"{where}: no column with the paths of recordings: found {shown}; expected one called "
                f"{', '.join(NAMES['path'][:-1])} or {NAMES['path'][-1]}"
            )
        self._texts = [(field, name) for field, name in self._names.items() if field in _TEXTS]
        self._numbers = [(field, name) for field, name in self._names.items() if field in _NUMBERS]

    @property
    def used(self) -> list[str]:
        """The columns that are read."""
        return list(self._names.values())

    def listed(self, row: Mapping[str, Any], where: str) -> Listed:
        """A row of the table, which messages call ``where``."""
        try:
            return Listed(self._utterance(row))
        except CorpusError as error:
            value = row.get(self._names["path"])
            path = value if isinstance(value, str) else ""
            name = text_in(row.get(self._names.get("id", ""))) or where
            return Listed(Utterance(name, path, corpus_in(path), ""), f"{where} {error}")

    def _utterance(self, row: Mapping[str, Any]) -> Utterance:
        path = path_in(row.get(self._names["path"]), self._names["path"])
        known: dict[str, Any] = {"split": ""}
        for field, name in self._texts:
            if text := text_in(row.get(name)):
                known[field] = text
        numbers = {}
        for field, name in self._numbers:
            number = _number(row.get(name), name)
            if number is not None:
                numbers[field] = number
        if numbers:
            known |= self._place(numbers)
        if "starts" in self._names:
            known["starts"] = _starts(row.get(self._names["starts"]), self._names["starts"])
        if "corpus" not in known:
            known["corpus"] = corpus_in(path)
        if "id" not in known:
            known["id"] = name_of_place(path, known)
        return Utterance(path=path, **known)

    def _place(self, numbers: Mapping[str, float]) -> dict[str, Any]:
        """What numbers say: which stretch of the recording, which channel of it, how long."""
        known: dict[str, Any] = {}
        begin, end, duration = numbers.get("begin"), numbers.get("end"), numbers.get("duration")
        if begin is None and end is None:  # all of the recording, and how long that is
            duration = numbers.get("seconds", duration)
        else:
            known["begin"] = begin or 0.0
            if end is not None:
                duration = end - known["begin"]
            known["duration"] = duration
        if duration is not None:
            if not duration > 0:
                raise CorpusError(f"lasts {duration:g} s, expected more than 0")
            known["seconds"] = duration
        elif "seconds" in numbers:
            known["seconds"] = numbers["seconds"]
        if "channel" in numbers:
            channel = numbers["channel"]
            if channel != int(channel):
                raise CorpusError(f"says {channel:g} in the column {self._names['channel']}, expected 0, 1, ...")
            known["channel"] = int(channel)
        return known


def _number(value: Any, column: str) -> float | None:
    """A number from 0 on as it stands in a row; None for nothing.

    Raises:
        CorpusError: it is no such number.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise CorpusError(f"says {value} in the column {column}, expected a number from 0 on")
    return number


def _starts(value: Any, column: str) -> tuple[float, ...]:
    """Times as they stand in a row: numbers with spaces between them, or a list.

    Raises:
        CorpusError: they are no such numbers, or one is before the one before it.
    """
    values = value.split() if isinstance(value, str) else value
    if values is None or (isinstance(values, float) and math.isnan(values)):
        return ()
    if not isinstance(values, Sequence):
        values = [values]
    starts = tuple(number for each in values if (number := _number(each, column)) is not None)
    if any(later < earlier for earlier, later in pairwise(starts)):
        raise CorpusError(f"says {value} in the column {column}, expected times that do not go back")
    return starts


def plain_name(name: str) -> str:
    """A column's name as :data:`NAMES` has it."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def corpus_in(path: str) -> str:
    """The corpus of a recording of which nothing else says it, by its path as SOURCE has it.

    It is that of :func:`vqaudio.audio.recordings.corpus_of`, and of URLs and paths that lead upwards there is none.
    """
    folder, slash, _ = path.removeprefix("./").partition("/")
    return NO_CORPUS if not slash or folder in ("", "..") or folder.endswith(":") else folder


def path_in(value: Any, column: str | None) -> str:
    """A path as it stands in a row.

    Raises:
        CorpusError: there is none.
    """
    if isinstance(value, str) and (path := value.strip()):
        return path
    if isinstance(value, Mapping) and value.get("path") and not value.get("bytes"):  # as the datasets library has it
        return path_in(value["path"], column)
    if isinstance(value, Mapping | bytes):
        raise CorpusError(
            f"holds sound itself in the column {column}, expected a path; write such sound as WebDataset tars"
        )
    raise CorpusError(f"has no path in the column {column}; complete or remove it")


def text_in(value: Any) -> str:
    """A text as it stands in a row; empty for nothing."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def facts_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an object says of a sound that it belongs to, as attributes of an utterance; what cannot be, it does not."""
    known = {plain_name(name): row[name] for name in reversed(tuple(row))}
    found: dict[str, Any] = {}
    for field in ("speaker", "label", "text", "split"):
        name = next((name for name in NAMES[field] if name in known), None)
        if name is not None and (text := text_in(known[name])):
            found[field] = text
    for name in (*NAMES["seconds"], *NAMES["duration"]):
        value = known.get(name)
        if isinstance(value, int | float) and 0 < value < math.inf:
            found.setdefault("seconds", float(value))
    return found


def name_of_place(path: str, known: Mapping[str, Any]) -> str:
    """What an utterance is called that has no name: its path, and which stretch and channel of it."""
    name = path
    begin, duration, channel = known.get("begin", 0.0), known.get("duration"), known.get("channel")
    if begin or duration is not None:
        name += f":{begin:.3f}"
        name += "" if duration is None else f"+{duration:.3f}"
    return name if channel is None else f"{name}#{channel}"
