"""Lhotse's manifests as a list of recordings: cuts, recordings or supervisions, as JSON lines.

Their keys are those of ``to_dict`` in Lhotse 1 (https://lhotse.readthedocs.io/en/latest/cuts.html), which itself is not
needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vqaudio.corpora import storage
from vqaudio.corpora.columns import corpus_in, text_in
from vqaudio.corpora.listing import Listed, Listing, base_of, digest_of_files
from vqaudio.corpora.sources.jsonl import json_lines
from vqaudio.corpora.utterance import Utterance
from vqaudio.errors import CorpusError

_CUTS = ("MonoCut", "MultiCut", "MixedCut", "PaddingCut", "Cut")
_WHOLE = 1e-3  # seconds by which a cut may miss the ends of a recording that it is all of
_READ = ("file", "url")
"""The types of source that have a path."""


def is_lhotse(row: Mapping[str, Any]) -> bool:
    """Whether an object is a cut, a recording or a supervision."""
    return row.get("type") in _CUTS or "sources" in row or ("recording_id" in row and "start" in row)


class Lhotse(Listing):
    """A set of cuts, of recordings, or of supervisions beside the recordings that they are of.

    What is said in a cut is that of all its supervisions. A manifest of supervisions needs that of their recordings,
    which has the same name but for this word.

    Raises:
        FileError: it cannot be read. CorpusError: supervisions without their recordings, or a first row without a path.
    """

    def __init__(self, path: str, first: Mapping[str, Any]):
        self._path = path
        self._supervises = "recording_id" in first
        folder, slash, name = path.rpartition("/")
        self._recordings = folder + slash + name.replace("supervisions", "recordings")
        if self._supervises and (self._recordings == path or not storage.exists(self._recordings)):
            raise CorpusError(
                f"{path}: holds supervisions, and no manifest of their recordings stands beside it "
                f"({self._recordings.rpartition('/')[2]}); put it there, or name a set of cuts"
            )
        self.base = base_of(path, next(row.utterance.path for row in self.rows()))

    def rows(self) -> Iterator[Listed]:
        recordings = dict(self._known()) if self._supervises else {}
        for where, row in json_lines(self._path):
            if isinstance(row, str):
                yield Listed(Utterance(where, "", "", ""), row)
                continue
            try:
                yield Listed(_utterance(row, recordings))
            except CorpusError as error:
                yield Listed(Utterance(text_in(row.get("id")) or where, "", "", ""), f"{where} {error}")
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                said = f"{where} is no cut, recording or supervision of Lhotse ({type(error).__name__}: {error})"
                yield Listed(Utterance(where, "", "", ""), f"{said}; correct it")

    def _known(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Recordings by name, without what is not needed of them."""
        for _, row in json_lines(self._recordings):
            if isinstance(row, dict) and "sources" in row:
                kept = ("id", "sources", "duration", "channel_ids", "transforms")
                yield str(row["id"]), {key: row[key] for key in kept if key in row}

    def digest(self) -> str:
        return digest_of_files("lhotse", [self._recordings, self._path] if self._supervises else [self._path])


def _utterance(row: Mapping[str, Any], recordings: Mapping[str, Mapping[str, Any]]) -> Utterance:
    """A row as an utterance.

    Raises:
        CorpusError: it is of a kind that has no sound of its own. KeyError and its like: it is none at all.
    """
    if "sources" in row:
        return _placed(row, str(row["id"]), 0.0, None, None, ())
    if row.get("type") in ("MixedCut", "PaddingCut"):
        raise CorpusError(f"is a {row['type']}, made while it is read; expected MonoCut: save it as files")
    supervised: Any = row.get("supervisions", ())
    recording: Any = row.get("recording")
    if "recording_id" in row:
        supervised, recording = (row,), recordings.get(row["recording_id"])
        if recording is None:
            raise CorpusError(f"is of the recording {row['recording_id']}, which is in no manifest beside it")
    if recording is None:
        raise CorpusError("has no recording, but features alone; expected a cut of a recording")
    return _placed(recording, str(row["id"]), row["start"], row["duration"], row.get("channel"), supervised)


def _placed(
    recording: Mapping[str, Any], name: str, start: float, duration: float | None, channel: Any, supervised: Any
) -> Utterance:
    """A stretch of a recording as an utterance."""
    made = [str(step.get("name", "a transform")) for step in recording.get("transforms") or ()]
    made = [step for step in made if step != "Resample"]
    if made:
        raise CorpusError(f"is of a recording that is made by {', '.join(made)}; expected one as it is")
    path, heard = _source(recording, channel)
    begin, whole = float(start), recording.get("duration")
    seconds = whole if duration is None else float(duration)
    if duration is not None and (seconds is None or not seconds > 0 or begin < 0):
        raise CorpusError(f"lasts {duration} s from {start} s on, expected more than 0 s from 0 s on")
    is_whole = duration is None or (whole is not None and begin == 0 and abs(float(whole) - float(duration)) < _WHOLE)
    spoken = sorted(supervised, key=lambda each: float(each["start"]))
    speakers = {text_in(each.get("speaker")) for each in spoken}
    return Utterance(
        id=name,
        path=path,
        corpus=corpus_in(path),
        split="",
        speaker=speakers.pop() if len(speakers) == 1 else "",
        text=" ".join(filter(None, (text_in(each.get("text")) for each in spoken))),
        seconds=None if seconds is None else float(seconds),
        begin=begin,
        duration=None if is_whole or duration is None else float(duration),
        channel=heard,
    )


def _source(recording: Mapping[str, Any], channel: Any) -> tuple[str, int | None]:
    """The file of a recording, and which of that file's channels are heard: one, or None for all."""
    sources = recording["sources"]
    wanted = channel if isinstance(channel, list) else None if channel is None else [channel]
    holding = [each for each in sources if wanted is None or set(wanted) & set(each["channels"])]
    if len(holding) != 1:
        raise CorpusError(f"has its channels in {len(holding)} files, expected one; make a MonoCut of each")
    (source,) = holding
    if source["type"] not in _READ:
        raise CorpusError(f"has sound of the type {source['type']}, expected {' or '.join(_READ)}; save it as files")
    channels = source["channels"]
    if wanted is None or set(wanted) >= set(channels):
        return str(source["source"]), None
    if len(wanted) != 1:
        raise CorpusError(f"has {len(wanted)} of {len(channels)} channels, expected one or all; make a MonoCut of each")
    return str(source["source"]), channels.index(wanted[0])
