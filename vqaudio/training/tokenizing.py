"""Recordings to tokens on disk, which priors learn from: in shards, so that an interrupted run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from vqaudio.audio.recordings import Recording
from vqaudio.audio.resampling import read_mono
from vqaudio.codec.codec import Codec, load
from vqaudio.codec.options import Variant
from vqaudio.errors import ModelError
from vqaudio.tokens import SUFFIX, Origin, Row, made_by, write

SHARD = 128  # recordings
LEVELS = (-40.0, -16.0)  # dB RMS re full scale, of augmented copies
COSTLY = 0.5  # of augmented copies, where codes have a cost


@dataclass(frozen=True)
class Tokenizing:
    """How recordings become tokens.

    Attributes:
        model: name or path. fingerprint: of the file that it was. device, backend: where it runs, and on what.
        codebooks: each recording is coded once with each of these numbers of codebooks.
        speed: augmented copies are played slower or faster by up to this share.
        code_costs: half of the augmented copies are coded with a code cost (a squared distance) between these,
            logarithmically; 0 and 0 for none.
        seed: of what varies.
        min_seconds: shorter recordings are followed by silence.
    """

    model: str
    fingerprint: str
    device: str
    backend: str | None
    codebooks: tuple[int, ...]
    speed: float
    code_costs: tuple[float, float]
    seed: int
    min_seconds: float

    @property
    def settings(self) -> str:
        """What decides tokens beside the codec, as JSON, in the words that files of tokens have for it."""
        known = {"codebooks": self.codebooks, "speed": self.speed, "costs": self.code_costs, "seed": self.seed}
        return json.dumps({**known, "least": self.min_seconds})


def tokenize_all(
    recordings: Mapping[str, Sequence[Recording]],
    how: Tokenizing,
    *,
    origin: Origin,
    folder: Path,
    out: Path,
    versions: int,
    jobs: int,
    progress: bool,
) -> int:
    """Write the tokens of recordings (by corpus) and of ``versions`` augmented copies of those for training.

    Shards that are in ``out`` are left as they are. Returns the number of rows written.

    Raises:
        ModelError: a shard is there that another codec or other settings made.
        VqaudioError: a recording cannot be read.
    """
    written = 0
    with _workers(jobs) as run:
        for (corpus, every), version in product(recordings.items(), range(versions + 1)):
            chosen = [item for item in every if version == 0 or item.split == "train"]
            for at in range(0, len(chosen), SHARD):
                shard = out / f"{corpus.replace('/', '_')}-{version:02}-{at // SHARD:05}{SUFFIX}"
                if shard.exists():
                    if made_by(shard) != (origin, how.settings):
                        raise ModelError(
                            f"{shard}: was made by another codec or with other settings; choose another OUT"
                        )
                    continue
                part = chosen[at : at + SHARD]
                found = run(partial(tokens_of, how=how, folder=folder, version=version), part)
                name = f"{corpus}, version {version}, {at + len(part)} of {len(chosen)}"
                bar = tqdm(found, name, len(part), False, unit="file", disable=None if progress else True)
                rows = [row for several in bar for row in several]
                write(shard, origin, rows, settings=how.settings)
                written += len(rows)
    return written


@contextmanager
def _workers(jobs: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """Something like ``map``, over processes of one thread each where there are several."""
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _use_one_thread) as pool:
        yield partial(pool.map, chunksize=4)


def _use_one_thread() -> None:
    """In this process, by either backend."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@cache
def codec_of(how: Tokenizing) -> Codec:
    """The codec, once a process.

    Raises:
        ModelError: the file is another model by now.
    """
    codec = load(how.model, how.device, backend=how.backend)
    if codec.fingerprint != how.fingerprint:
        raise ModelError(f"{how.model}: was replaced by another model meanwhile; run tokenize again")
    return codec


def tokens_of(recording: Recording, how: Tokenizing, *, folder: Path, version: int) -> list[Row]:
    """One recording's rows, one for each number of codebooks; version 0 is the recording as it is."""
    codec = codec_of(how)
    sound = read_mono(recording.path, codec.sample_rate)
    random = np.random.default_rng([how.seed, version, *recording.path.name.encode()])
    if version:
        sound = augmented(sound, codec.sample_rate, hop_length=codec.hop_length, speed=how.speed, random=random)
    seconds = len(sound) / codec.sample_rate
    sound = np.pad(sound, (0, max(0, round(how.min_seconds * codec.sample_rate) - len(sound))))
    path = recording.path
    name = (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()
    known = (name, recording.corpus, recording.speaker, recording.label, recording.split, version)
    if not len(sound):  # a copy of less than a frame may begin after its end
        return []
    variants = []
    for count in how.codebooks:
        cost = 0.0
        if version and how.code_costs[1] and random.random() < COSTLY:
            cost = float(np.exp(random.uniform(*np.log(how.code_costs))))
        variants.append(Variant(count, cost))
    (found,) = codec.encode_variants([sound], codec.sample_rate, variants=[variants], with_margin=False)
    streams = [[codes for (codes,) in one.streams] for one in found]
    return [Row(*known, codes, id=name, seconds=seconds) for codes in streams]


def augmented(
    sound: NDArray[np.float32], sample_rate: int, *, hop_length: int, speed: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """The same words as other codes: a little slower or faster, at another level, frames cut at other places.

    ``sound``: ``(samples,)`` at ``sample_rate`` (Hz). ``speed``: the most that it changes by, as a share.
    """
    factor = random.uniform(1 - speed, 1 + speed)
    made = soxr.resample(sound, sample_rate * factor, sample_rate, quality="MQ") if speed else sound
    made = made[int(random.integers(hop_length)) :]
    level = 10.0 * np.log10(float(np.mean(made**2)) + 1e-12) if len(made) else 0.0
    made = made * np.float32(10.0 ** ((random.uniform(*LEVELS) - max(level, -70.0)) / 20.0))
    return np.asarray(made / np.float32(max(1.0, float(np.abs(made).max(initial=0.0)))), np.float32)
