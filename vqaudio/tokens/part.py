"""What a shard says of itself beside its rows: how it was made, and what of it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from vqaudio.tokens.rows import Origin, Row


@dataclass(frozen=True)
class Problem:
    """A recording that could not be coded, or not all of it: its id and path in the corpus, and a sentence on why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class PartDone:
    """What came of a part of a corpus.

    Attributes:
        recordings: that were coded. rows: that came of them, one for each number of codebooks.
        microseconds: of sound that was coded; counted in whole ones, so that sums are exact in any order.
        row_microseconds, bits: by the number of codebooks as text, of all rows together.
        failures: recordings that have no row. warnings: those of which something is lacking.
        unreached: recordings that have no row as they could not be reached: another run may do better.
    """

    recordings: int = 0
    rows: int = 0
    microseconds: int = 0
    row_microseconds: dict[str, int] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)
    failures: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    unreached: int = 0

    @property
    def seconds(self) -> float:
        """Of sound that was coded."""
        return in_seconds(self.microseconds)

    def to_json(self) -> str:
        """As shards hold it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> PartDone:
        """What :meth:`to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        facts = json.loads(text)
        failures, warnings = (tuple(Problem(**each) for each in facts.pop(name)) for name in ("failures", "warnings"))
        return cls(**facts, failures=failures, warnings=warnings)


def summary(
    origin: Origin,
    rows: Sequence[Row],
    *,
    failures: Sequence[Problem] = (),
    warnings: Sequence[Problem] = (),
    unreached: int = 0,
) -> PartDone:
    """What some rows are, all together."""
    row_microseconds: dict[str, int] = {}
    bits: dict[str, int] = {}
    for row in rows:
        count = str(len(row.codes))
        own = sum(stream.bits * len(codes) for stream, codes in zip(origin.streams, row.codes, strict=False))
        row_microseconds[count] = row_microseconds.get(count, 0) + in_microseconds(row.seconds or 0.0)
        bits[count] = bits.get(count, 0) + own
    coded = {row.id: in_microseconds(row.seconds or 0.0) for row in rows}
    return PartDone(
        len(coded),
        len(rows),
        sum(coded.values()),
        row_microseconds,
        bits,
        tuple(failures),
        tuple(warnings),
        unreached,
    )


def in_microseconds(seconds: float) -> int:
    """The nearest whole number of them."""
    return round(seconds * 1e6)


def in_seconds(microseconds: int) -> float:
    """The very number for which :func:`in_microseconds` gives these again."""
    return microseconds / 1e6


@dataclass(frozen=True)
class Header:
    """Whose tokens a shard holds, the settings that it was written with, and what came of its part."""

    origin: Origin
    settings: str
    part: PartDone

    def to_texts(self) -> dict[str, str]:
        """As a Parquet schema's metadata."""
        return {"vqaudio": self.origin.to_json(), "settings": self.settings, "part": self.part.to_json()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str] | Mapping[bytes, bytes]) -> Header:
        """What :meth:`to_texts` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        found = {_text(key): _text(value) for key, value in texts.items()}
        part = PartDone.from_json(found["part"]) if "part" in found else PartDone()
        return cls(Origin.from_json(found["vqaudio"]), found.get("settings", ""), part)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
