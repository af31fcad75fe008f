"""What a worker does: a part of a corpus to a shard of tokens."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from vqaudio.cluster import is_careful, run_apart
from vqaudio.codec.codec import Codec, load
from vqaudio.codec.options import Variant
from vqaudio.corpora import Part, Unreached, Utterance, storage
from vqaudio.errors import AudioWarning, FileError, ModelError, VqaudioError
from vqaudio.tokenization.augmentation import augmented
from vqaudio.tokenization.settings import Tokenizing
from vqaudio.tokens import Header, Origin, PartDone, Problem, Row, summary
from vqaudio.tokens.formats import FORMATS

MANIFEST = "_manifest.json"
COSTLY = 0.5  # of augmented copies, where codes have a cost
ROW_TEXTS = ("id", "path", "corpus", "speaker", "label", "text", "split")
BATCH_SECONDS = 600.0
"""Of sound that is in memory, and coded, at a time."""


@dataclass(frozen=True)
class Task:
    """A part of a corpus, as it is (``version`` 0) or as an augmented copy; the name of its shard is ``str(task)``."""

    part: Part
    version: int

    def __str__(self) -> str:
        return f"{self.part.name}-{self.version:02}"


@dataclass
class Coded:
    """Rows of some recordings, those that gave none, or less than they should.

    ``unread`` is how many could not be read, ``unreached`` how many of these may be another time.
    """

    rows: list[Row] = field(default_factory=list)
    failures: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    unread: int = 0
    unreached: int = 0


@dataclass(frozen=True)
class Unread:
    """A part of which nothing could be read, perhaps for now alone; its shard is not written."""

    reason: str


def tokenize_part(task: Task, how: Tokenizing) -> PartDone | Unread:
    """Read a part, code it, write its shard: once, as a whole, and to the byte the same whoever does it.

    Where several recordings are to be read and none of them can be, something else is broken than they: nothing is
    written, so that another run tries it again.

    Raises:
        FileError: the shard cannot be written. ModelError: the model is another by now.
    """
    check_out(how.out)
    origin = origin_of(codec_of(how))
    coded = _each_alone(task, how) if is_careful() else code(task, how)
    if coded.unread > 1 and not coded.rows:
        first = f"; the first: {coded.failures[0].reason}" if coded.failures else ""
        return Unread(f"none of its {coded.unread} recordings could be read{first}")
    done = summary(origin, coded.rows, failures=coded.failures, warnings=coded.warnings, unreached=coded.unreached)
    form = FORMATS[how.format]
    form.write(form.place(how.out), str(task), Header(origin, how.settings, done), coded.rows)
    return done


@cache
def check_out(out: str) -> None:
    """Do nothing where this machine sees the folder that the run has begun.

    Raises:
        FileError: it does not.
    """
    if not storage.exists(storage.join(out, MANIFEST)):
        import socket

        raise FileError(
            f"{out}: is not there on {socket.gethostname()}, one of the machines that work on it; choose an OUT that "
            "all of them share, as a network file system or an object store"
        )


@cache
def codec_of(how: Tokenizing) -> Codec:
    """The codec, once a process.

    Raises:
        ModelError: the file is another model by now.
    """
    codec = load(how.model, how.device, backend=how.backend, precision=how.precision)
    if codec.fingerprint != how.fingerprint:
        raise ModelError(f"{how.model}: was replaced by another model meanwhile; run tokenize again")
    return codec


def origin_of(codec: Codec) -> Origin:
    """Whose tokens a codec makes."""
    return Origin(codec.fingerprint, codec.streams, codec.frame_rate)


# ------------------------------------------------------------------------------------------------------------- careful


@dataclass(frozen=True)
class _Single:
    """One recording of a part, for messages its path."""

    utterance: Utterance
    task: Task

    def __str__(self) -> str:
        return self.utterance.path


def _each_alone(task: Task, how: Tokenizing) -> Coded:
    """As :func:`code`, in a process beside this one that is replaced where it dies: its killer alone is lost."""
    every = Coded()
    singles = (_Single(utterance, Task(part, task.version)) for utterance, part in task.part.singly())
    for done in run_apart(partial(_code_one, how=how), singles):  # one after the other, and so in order
        known = done.item.utterance
        coded = done.made or Coded(failures=[Problem(known.id, known.path, done.failure or "")])
        every.rows += coded.rows
        every.failures += coded.failures
        every.warnings += coded.warnings
        every.unread += coded.unread
        every.unreached += coded.unreached
    return every


def _code_one(single: _Single, how: Tokenizing) -> Coded:
    return code(single.task, how)


# ---------------------------------------------------------------------------------------------------------------- code


@dataclass(frozen=True)
class _Heard:
    """A recording that is to be coded: what is known of it, its sound, and in which variants."""

    utterance: Utterance
    sound: NDArray[np.float32]
    starts: tuple[float, ...]
    seconds: float
    variants: list[Variant]


def code(task: Task, how: Tokenizing) -> Coded:
    """A part's recordings to rows, some minutes of sound at a time."""
    codec, coded, batch = codec_of(how), Coded(), list[_Heard]()
    for utterance, sound, lacking in _read(task.part, codec.sample_rate):
        if task.version and utterance.split != "train":
            continue
        if not task.version:  # what is wrong with a recording is told once, not of its copies too
            told = [sound] if isinstance(sound, str) else []
            coded.failures.extend(Problem(utterance.id, utterance.path, each) for each in told)
            coded.warnings.extend(Problem(utterance.id, utterance.path, each) for each in lacking)
        if isinstance(sound, str):
            coded.unread += 1
            coded.unreached += isinstance(sound, Unreached)
            continue
        heard = _varied(utterance, sound, codec, task.version, how)
        if heard is None:
            continue
        batch.append(heard)
        if sum(len(each.sound) for each in batch) >= BATCH_SECONDS * codec.sample_rate:
            _code_batch(batch, codec, task.version, coded)
            batch.clear()
    _code_batch(batch, codec, task.version, coded)
    return coded


def _read(part: Part, sample_rate: int) -> Iterator[tuple[Utterance, NDArray[np.float32] | str, list[str]]]:
    """What :meth:`Part.read` gives, with what it warns of each recording."""
    reading = iter(part.read(sample_rate))
    while True:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AudioWarning)
            found = next(reading, None)
        lacking = []
        for warning in caught:
            if issubclass(warning.category, AudioWarning):
                lacking.append(str(warning.message))
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if found is None:
            return
        utterance, sound = found
        if not isinstance(sound, str) and not len(sound):
            sound = f"{utterance.id}: holds no sound"
        yield utterance, sound, lacking


def _varied(
    utterance: Utterance, sound: NDArray[np.float32], codec: Codec, version: int, how: Tokenizing
) -> _Heard | None:
    """A recording, or an augmented copy; None for a copy of which nothing is left, as it began a frame later."""
    rate = codec.sample_rate
    random = np.random.default_rng([how.seed, version, *utterance.id.encode()])
    starts = utterance.starts
    if version:
        sound, starts = augmented(
            sound, rate, starts=starts, hop_length=codec.hop_length, speed=how.speed, random=random
        )
    seconds = len(sound) / rate
    sound = np.pad(sound, (0, max(0, round(how.min_seconds * rate) - len(sound))))
    if not len(sound):
        return None
    variants = []
    for count in how.codebooks:
        cost = 0.0
        if version and how.code_costs[1] and random.random() < COSTLY:
            cost = float(np.exp(random.uniform(*np.log(how.code_costs))))
        variants.append(Variant(count, cost))
    return _Heard(utterance, sound, starts, seconds, variants)


def _code_batch(batch: list[_Heard], codec: Codec, version: int, coded: Coded) -> None:
    """Code recordings side by side, or, where one of them cannot be coded, one by one."""
    try:
        found = codec.encode_variants(
            [heard.sound for heard in batch],
            codec.sample_rate,
            variants=[heard.variants for heard in batch],
            with_margin=False,
        )
    except VqaudioError as error:
        if len(batch) > 1:
            for heard in batch:
                _code_batch([heard], codec, version, coded)
            return
        utterance, said = batch[0].utterance, str(error).removeprefix("sound 0: ")  # which it is to the codec alone
        coded.failures.append(Problem(utterance.id, utterance.path, f"{utterance.path}: {said}"))
        return
    for heard, several in zip(batch, found, strict=True):
        known = {name: getattr(heard.utterance, name) for name in ROW_TEXTS}
        coded.rows.extend(
            Row(
                **known,
                starts=heard.starts,
                version=version,
                seconds=heard.seconds,
                codes=[stream[0] for stream in codes.streams],
            )
            for codes in several
        )
