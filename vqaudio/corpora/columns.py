"""Rows of tables as utterances: what columns are called, and what may stand in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from vqaudio.audio.recordings import NO_CORPUS, corpus_of
from vqaudio.corpora import storage
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
    "seconds": ("seconds",),
    "begin": ("begin", "offset", "start", "start_time"),
    "end": ("end", "end_time"),
    "duration": ("duration", "dur"),
    "channel": ("channel",),
}
"""For each thing that is known of an utterance, the names that its column may have; the first that is there is taken.

Capitals do not matter, and spaces and hyphens are as good as ``_``.
"""


class Columns:
    """Which columns of a table are which.

    Raises:
        CorpusError: none has the paths of recordings.
    """

    def __init__(self, names: Sequence[str], where: str):
        known = {plain_name(name): name for name in reversed(names)}
        self._names = {
            field: next((known[name] for name in choices if name in known), None) for field, choices in NAMES.items()
        }
        if self._names["path"] is None:
            found = ", ".join(names) or "none"
            raise CorpusError(
                f"{where}: no column with the paths of recordings: found {found}; expected one called "
                f"{', '.join(NAMES['path'][:-1])} or {NAMES['path'][-1]}"
            )

    @property
    def used(self) -> list[str]:
        """The columns that are read."""
        return [name for name in self._names.values() if name is not None]

    def listed(self, row: Mapping[str, Any], where: str) -> Listed:
        """A row of the table, which messages call ``where``."""
        values = {field: row.get(name) for field, name in self._names.items() if name is not None}
        try:
            return Listed(self._utterance(values))
        except CorpusError as error:
            path = values.get("path")
            known = path if isinstance(path, str) else ""
            return Listed(
                Utterance(text_in(values.get("id")) or where, known, corpus_in(known), ""), f"{where} {error}"
            )

    def _utterance(self, values: dict[str, Any]) -> Utterance:
        path = path_in(values["path"], self._names["path"])
        begin, end, length, seconds = (
            self._seconds(values, field) for field in ("begin", "end", "duration", "seconds")
        )
        duration = length if end is None else end - (begin or 0.0)
        if duration is not None and not duration > 0:
            raise CorpusError(f"lasts {duration:g} s, expected more than 0")
        if begin is None and end is None:  # all of the recording, and how long that is
            seconds, duration = (length if seconds is None else seconds), None
        channel = self._number(values, "channel")
        if channel is not None and (channel < 0 or channel != int(channel)):
            raise CorpusError(f"says {channel:g} in the column {self._names['channel']}, expected 0, 1, ...")
        texts = {field: text_in(values.get(field)) for field in ("id", "corpus", "split", "speaker", "label", "text")}
        utterance = Utterance(
            id=texts["id"],
            path=path,
            corpus=texts["corpus"] or corpus_in(path),
            split=texts["split"],
            speaker=texts["speaker"],
            label=texts["label"],
            text=texts["text"],
            seconds=duration if duration is not None else seconds,
            begin=begin or 0.0,
            duration=duration,
            channel=None if channel is None else int(channel),
        )
        return utterance if utterance.id else named_by_place(utterance)

    def _seconds(self, values: dict[str, Any], field: str) -> float | None:
        number = self._number(values, field)
        if number is not None and number < 0:
            raise CorpusError(f"says {number:g} in the column {self._names[field]}, expected seconds from 0 on")
        return number

    def _number(self, values: dict[str, Any], field: str) -> float | None:
        value = values.get(field)
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise CorpusError(f"says {value} in the column {self._names[field]}, expected a number")
        return number


def plain_name(name: str) -> str:
    """A column's name as :data:`NAMES` has it."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def corpus_in(path: str) -> str:
    """The corpus of a recording of which nothing else says it, by its path as SOURCE has it."""
    found = NO_CORPUS if storage.is_url(path) else corpus_of(PurePosixPath(path))
    return NO_CORPUS if found in ("..", "file:") else found


def path_in(value: Any, column: str | None) -> str:
    """A path as it stands in a row.

    Raises:
        CorpusError: there is none.
    """
    if isinstance(value, Mapping) and value.get("path") and not value.get("bytes"):  # as the datasets library has it
        value = value["path"]
    if isinstance(value, Mapping | bytes):
        raise CorpusError(
            f"holds sound itself in the column {column}, expected a path; write such sound as WebDataset tars"
        )
    if not isinstance(value, str) or not value.strip():
        raise CorpusError(f"has no path in the column {column}; complete or remove it")
    return value.strip()


def text_in(value: Any) -> str:
    """A text as it stands in a row; empty for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value.strip() if isinstance(value, str) else str(value)


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


def named_by_place(utterance: Utterance) -> Utterance:
    """The utterance, with its place for a name: its path, and which stretch and channel of it."""
    name = utterance.path
    if utterance.begin or utterance.duration is not None:
        name += f":{utterance.begin:.3f}"
        name += "" if utterance.duration is None else f"+{utterance.duration:.3f}"
    if utterance.channel is not None:
        name += f"#{utterance.channel}"
    return Utterance(**(vars(utterance) | {"id": name}))
