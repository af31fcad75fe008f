"""``_manifest.json``: what a folder of tokens holds, how it was made, what failed; kept current while a run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from vqaudio.corpora import storage
from vqaudio.errors import FileError
from vqaudio.tokenization.compatibility import refuse_others
from vqaudio.tokenization.settings import Tokenizing
from vqaudio.tokenization.work import MANIFEST, Task
from vqaudio.tokens import Origin, PartDone, Problem
from vqaudio.tokens.part import in_microseconds, in_seconds

SAVE_SECONDS = 10.0
MOST_LISTED = 10_000
"""Failures, and warnings, in the manifest; each shard holds its own as well."""


@dataclass
class Manifest:
    """The state of a folder of tokens.

    Attributes:
        how, origin: how it is made. source: of which corpus, as it was named.
        planned: shards that there will be.
        parts: by version, the indices of the parts whose shards are counted here.
        done: of all of these together, without failures and warnings. recordings: that it is of, without copies.
        failures, warnings: of these, with the shard that each is of; at most :data:`MOST_LISTED`, of ``failed`` and
            ``incomplete`` in all.
        unreached: as ``parts``, of those with recordings that could not be reached; the next run makes them anew.
        failed_shards: of this run, not written, with the reason.
        wall_seconds: that runs took. worker_seconds: that their workers took, all together.
    """

    how: Tokenizing
    origin: Origin
    source: str
    sample_rate: int
    planned: int = 0
    parts: dict[int, set[int]] = field(default_factory=dict)
    done: PartDone = field(default_factory=PartDone)
    recordings: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    failed: int = 0
    incomplete: int = 0
    unreached: dict[int, set[int]] = field(default_factory=dict)
    failed_shards: dict[str, str] = field(default_factory=dict)
    wall_seconds: float = 0.0
    worker_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._path = storage.join(self.how.out, MANIFEST)
        self._began = self._saved = time.monotonic()
        self._wall_before = 0.0

    # ------------------------------------------------------------------------------------------------------- counting

    @property
    def shards(self) -> int:
        """That are there."""
        return sum(map(len, self.parts.values()))

    def counts(self, task: Task) -> bool:
        """Whether a shard is among those counted here."""
        return task.part.index in self.parts.get(task.version, ())

    def add(self, task: Task, done: PartDone) -> None:
        """One more shard is there."""
        self.parts.setdefault(task.version, set()).add(task.part.index)
        self.done = _together(self.done, done)
        self.recordings += 0 if task.version else done.recordings
        self.failed += len(done.failures)
        self.incomplete += len(done.warnings)
        _list(self.failures, task, done.failures)
        _list(self.warnings, task, done.warnings)
        if done.unreached:
            self.unreached.setdefault(task.version, set()).add(task.part.index)

    def may_be_complete(self, task: Task) -> bool:
        """Whether a shard that is counted is to be made anew, for recordings that can be reached by now perhaps."""
        return task.part.index in self.unreached.get(task.version, ())

    def take_back(self, task: Task, done: PartDone) -> None:
        """One shard less is there: what :meth:`add` has counted."""
        self.parts[task.version].remove(task.part.index)
        self.unreached[task.version].remove(task.part.index)
        if not self.unreached[task.version]:
            del self.unreached[task.version]
        self.done = _together(self.done, done, sign=-1)
        self.recordings -= 0 if task.version else done.recordings
        self.failed -= len(done.failures)
        self.incomplete -= len(done.warnings)
        self.failures, self.warnings = (
            [problem for problem in listed if problem["shard"] != str(task)]
            for listed in (self.failures, self.warnings)
        )

    def forget(self) -> None:
        """Count again from nothing."""
        self.parts, self.done, self.failures, self.warnings = {}, PartDone(), [], []
        self.failed = self.incomplete = self.recordings = 0
        self.unreached = {}

    # ------------------------------------------------------------------------------------------------------- the file

    def load(self) -> None:
        """Go on from what is there, if anything.

        Raises:
            ModelError: other tokens are there. FileError: it cannot be read.
        """
        if not storage.exists(self._path):
            return
        try:
            with storage.open_read(self._path) as file:
                facts = json.loads(file.read())
            refuse_others(self.how, facts["format"], facts["model"]["fingerprint"], facts["settings"], facts["source"])
            self.parts, self.unreached = (
                {int(version): set(_indices(text)) for version, text in facts[name].items()}
                for name in ("parts", "unreached")
            )
            self.recordings = facts["recordings"]
            self.done = PartDone(
                self.recordings + facts["copies"],
                facts["rows"],
                in_microseconds(facts["seconds"]),
                {count: in_microseconds(seconds) for count, seconds in facts["row_seconds"].items()},
                facts["bits"],
            )
            self.failures, self.warnings = facts["failures"], facts["warnings"]
            self.failed, self.incomplete = facts["failed"], facts["incomplete"]
            self._wall_before, self.worker_seconds = facts["wall_seconds"], facts["worker_seconds"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(
                f"{self._path}: is no manifest of tokens ({error}); remove it, and run tokenize again"
            ) from None

    def save_now_and_then(self) -> None:
        """Save it, unless that was done a moment ago.

        Raises:
            FileError: it cannot be written.
        """
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write it, atomically.

        Raises:
            FileError: it cannot be written.
        """
        self.wall_seconds = self._wall_before + time.monotonic() - self._began
        text = json.dumps(self.facts(), indent=1, ensure_ascii=False)
        with storage.write_atomically(self._path) as file:
            file.write(text.encode(errors="backslashreplace"))
        self._saved = time.monotonic()

    def save_if_possible(self) -> None:
        """Save it where something else has to be said that is of more use than that it cannot be written."""
        with suppress(FileError):
            self.save()

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        done, how = self.done, self.how
        row_seconds = {count: in_seconds(microseconds) for count, microseconds in done.row_microseconds.items()}
        return {
            "format": how.format,
            "model": {
                "name": how.model,
                "fingerprint": self.origin.codec,
                "sample_rate_hz": self.sample_rate,
                "frame_rate_hz": self.origin.frame_rate,
                "codebook_sizes": [stream.alphabet for stream in self.origin.streams],
                "strides": [stream.stride for stream in self.origin.streams],
            },
            "settings": json.loads(how.settings),
            "source": self.source,
            "complete": self.shards == self.planned,
            "shards": self.shards,
            "planned": self.planned,
            "recordings": self.recordings,
            "copies": done.recordings - self.recordings,
            "rows": done.rows,
            "seconds": done.seconds,
            "hours": round(done.seconds / 3600, 4),
            "kbps": {
                count: round(done.bits[count] / seconds / 1000, 4) for count, seconds in row_seconds.items() if seconds
            },
            "times_real_time": round(done.seconds / self.wall_seconds, 2) if self.wall_seconds else None,
            "wall_seconds": round(self.wall_seconds, 2),
            "worker_seconds": round(self.worker_seconds, 2),
            "failed": self.failed,
            "failures": self.failures,
            "failed_shards": self.failed_shards,
            "incomplete": self.incomplete,
            "warnings": self.warnings,
            "row_seconds": row_seconds,
            "bits": done.bits,
            "parts": _texts(self.parts),
            "unreached": _texts(self.unreached),
        }


def _together(one: PartDone, other: PartDone, *, sign: int = 1) -> PartDone:
    """Both, or one without the other, of which it is a part."""
    microseconds, bits = (
        ours | {key: ours.get(key, 0) + sign * value for key, value in theirs.items()}
        for ours, theirs in ((one.row_microseconds, other.row_microseconds), (one.bits, other.bits))
    )
    return PartDone(
        one.recordings + sign * other.recordings,
        one.rows + sign * other.rows,
        one.microseconds + sign * other.microseconds,
        microseconds,
        bits,
    )


def _list(listed: list[dict[str, str]], task: Task, problems: Iterable[Problem]) -> None:
    for problem in problems:
        if len(listed) < MOST_LISTED:
            listed.append({"shard": str(task)} | asdict(problem))


def _texts(parts: dict[int, set[int]]) -> dict[str, str]:
    return {str(version): _ranges(indices) for version, indices in sorted(parts.items())}


def _ranges(indices: set[int]) -> str:
    """Numbers as text: ``0-99,101``."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(f"{first}-{last}" if first < last else str(first) for first, last in parts)


def _indices(text: str) -> Iterable[int]:
    """What :func:`_ranges` wrote."""
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
