"""VCTK made ready: 16 kHz, without the silence around speech, split by speaker and by sentence, with statistics.

    python -m recipes.vctk.prepare ROOT OUT

Writes OUT/SPLIT/SPEAKER/NAME.flac, OUT/manifest.csv, OUT/statistics.md and OUT/statistics.png. Recordings that are
there already are kept.

Splits share no speaker, because a codec must work for voices that it never heard. They share no sentence either: all
of VCTK's speakers read the same two passages, and a newspaper sentence may be read by several, so that a prior that has
heard a test sentence in another voice would be praised for remembering it. What a training speaker reads of a held-out
sentence, and a held-out speaker of a training one, is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from tqdm import tqdm

from recipes.vctk.corpus import Corpus, Utterance, described, find
from vqaudio.audio.recordings import MANIFEST, Recording, manifest_of
from vqaudio.audio.resampling import read_mono
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.evaluation import require
from vqaudio.evaluation.writing import markdown, write_text
from vqaudio.files import atomic_write

SAMPLE_RATE = 16000  # Hz
SPEAKERS_HELD_OUT = {"test": 0.08, "valid": 0.05}
SENTENCES_HELD_OUT = {"test": 0.05, "valid": 0.05}
SPLITS = ("train", "valid", "test")
QUIET_DB, STEP_SECONDS, MARGIN_SECONDS = 35.0, 0.01, 0.1
LEAST_SECONDS = 0.5
COLUMNS = ("path", "corpus", "speaker", "split", "seconds")


@dataclass(frozen=True)
class Planned:
    """A recording, which split it is for, and what it becomes."""

    source: Path
    target: Path
    speaker: str
    split: str


@dataclass(frozen=True)
class Prepared:
    """What became of it: seconds of sound before and after; 0 after where next to nothing was left, and no file."""

    plan: Planned
    before: float
    after: float


# ------------------------------------------------------------------------------------------------------------ splits


def split(corpus: Corpus) -> dict[Utterance, str]:
    """The split of each utterance that is in one.

    A sentence is known by its transcript, else by its number where the corpus has no transcripts at all. An utterance
    without transcript in a corpus that has some (all of p315's) could be any sentence, and is left out.

    Raises:
        VqaudioError: too few speakers or sentences for three splits.
    """
    sentences = {utterance: sentence(utterance) for utterance in corpus.utterances}
    if not any(sentences.values()):
        sentences = {utterance: utterance.number for utterance in corpus.utterances}
    sentences = {utterance: text for utterance, text in sentences.items() if text}
    speaker_split = dealt((utterance.speaker for utterance in sentences), SPEAKERS_HELD_OUT, least=1)
    sentence_split = dealt(sentences.values(), SENTENCES_HELD_OUT, least=3)
    found = {
        utterance: speaker_split[utterance.speaker]
        for utterance, text in sentences.items()
        if speaker_split[utterance.speaker] == sentence_split[text]
    }
    if lacking := [name for name in SPLITS if name not in found.values()]:
        raise VqaudioError(
            f"{corpus.root}: nothing is left for {', '.join(lacking)} of {len(set(speaker_split))} speakers and "
            f"{len(set(sentence_split))} sentences: it takes 3 speakers, or more, who read the same 7 sentences"
        )
    return found


def sentence(utterance: Utterance) -> str:
    """The words of a transcript, however it is spelled and punctuated."""
    return " ".join(re.findall(r"[a-z0-9']+", utterance.text.lower()))


def dealt(names: Iterable[str], held_out: Mapping[str, float], least: int) -> dict[str, str]:
    """A split for each name: shares of them are held out, in an order that depends on nothing but the names."""
    order = sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).digest())
    found = dict.fromkeys(order, "train")
    at = 0
    for name, share in held_out.items():
        size = max(least, round(share * len(order)))
        found |= dict.fromkeys(order[at : at + size], name)
        at += size
    return found


def planned(corpus: Corpus, out: Path) -> list[Planned]:
    """What becomes of each recording that is used."""
    return [
        Planned(utterance.path, out / chosen / utterance.speaker / f"{utterance.name}.flac", utterance.speaker, chosen)
        for utterance, chosen in split(corpus).items()
    ]


# -------------------------------------------------------------------------------------------------------- recordings


def trimmed(sound: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Without the silence at either end, but for 0.1 s of it.

    Speech is what is less than ``QUIET_DB`` below the loudest 10 ms, in the differences of neighbouring samples: they
    leave out the low rumble in this microphone's recordings, and keep the hiss of an s.
    """
    step, margin = round(STEP_SECONDS * sample_rate), round(MARGIN_SECONDS * sample_rate)
    change = np.diff(sound)
    levels = np.square(change[: len(change) // step * step].reshape(-1, step)).mean(1)
    loud = np.flatnonzero(levels > levels.max(initial=0.0) * 10 ** (-QUIET_DB / 10))
    if not len(loud):
        return sound[:0]
    return sound[max(0, loud[0] * step - margin) : (loud[-1] + 1) * step + margin]


def prepared(plan: Planned) -> Prepared:
    """Write one recording, unless it is there."""
    before = soundfile.info(plan.source).duration
    if not plan.target.is_file():
        sound = trimmed(read_mono(plan.source, SAMPLE_RATE), SAMPLE_RATE)
        if len(sound) < LEAST_SECONDS * SAMPLE_RATE:
            return Prepared(plan, before, 0.0)
        plan.target.parent.mkdir(parents=True, exist_ok=True)
        write_array(sound, plan.target, sample_rate=SAMPLE_RATE)
    return Prepared(plan, before, soundfile.info(plan.target).duration)


def prepare_all(plans: Sequence[Planned], jobs: int) -> list[Prepared]:
    """Write all recordings; those that are too short are not in the result."""
    bar = {"total": len(plans), "desc": "preparing", "unit": "file", "disable": None}
    if jobs == 1:
        done = list(tqdm(map(prepared, plans), **bar))
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            done = list(tqdm(pool.map(prepared, plans, chunksize=16), **bar))
    return [item for item in done if item.after]


def refuse_others(out: Path, plans: Sequence[Planned]) -> None:
    """Recordings of another corpus, or split otherwise, would be taken for this one's.

    Raises:
        VqaudioError: there are some.
    """
    others = sorted(set(out.glob("*/*/*.flac")) - {plan.target for plan in plans})
    if others:
        raise VqaudioError(f"{others[0]}: was prepared from another corpus; remove {out}, or choose another --out")


def write_manifest(done: Sequence[Prepared], out: Path) -> None:
    """List the recordings, for training and evaluation to read."""
    plans = ((item.plan, item.after) for item in done)
    listed = [Recording(plan.target, "vctk", plan.split, plan.speaker, seconds=after) for plan, after in plans]
    write_text(out / MANIFEST, manifest_of(listed, out, columns=COLUMNS))


# -------------------------------------------------------------------------------------------------------- statistics


def statistics(corpus: Corpus, done: Sequence[Prepared]) -> str:
    """What there is, in Markdown."""
    release = corpus.release
    lines = [
        f"VCTK {release.version} ({release.licence}), at {SAMPLE_RATE} Hz and without the silence around speech.",
        "",
    ]
    rows = []
    for name in SPLITS:
        items = [item for item in done if item.plan.split == name]
        after, before = np.array([item.after for item in items]), np.array([item.before for item in items])
        speakers = len({item.plan.speaker for item in items})
        lengths = [f"{length:.2f} s" for length in (np.median(after), after.min(), after.max())]
        hours, cut = f"{after.sum() / 3600:.3f}", f"{1 - after.sum() / before.sum():.1%}"
        rows.append([name, str(speakers), str(len(items)), hours, cut, *lengths])
    unused = len(corpus.utterances) - len(done)
    header = ["split", "speakers", "recordings", "hours", "silence cut", "median length", "shortest", "longest"]
    lines += [
        markdown(header, rows),
        "",
        f"{unused} of {len(corpus.utterances)} recordings are not used: see the splits in prepare.py.",
    ]
    return "\n".join(lines) + "\n"


def plot(done: Sequence[Prepared], path: Path) -> None:
    """Lengths of recordings, and minutes of each speaker, by split."""
    figure = require("matplotlib.figure").Figure(figsize=(10, 4), layout="constrained")
    lengths, minutes = figure.subplots(1, 2)
    bins = np.linspace(0, max(item.after for item in done), 40)
    at = 0
    for name in SPLITS:
        items = [item for item in done if item.plan.split == name]
        lengths.hist([item.after for item in items], bins, histtype="step", density=True, label=name)
        spoken: dict[str, float] = {}
        for item in items:
            spoken[item.plan.speaker] = spoken.get(item.plan.speaker, 0.0) + item.after / 60
        minutes.bar(range(at, at + len(spoken)), sorted(spoken.values(), reverse=True), label=name)
        at += len(spoken)
    lengths.set(xlabel="seconds of a recording", ylabel="density")
    minutes.set(xlabel="speakers, most minutes first", ylabel="minutes")
    minutes.set_xticks([])
    for axes in (lengths, minutes):
        axes.legend()
        axes.grid(alpha=0.3)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="prepare.py", description="Make VCTK ready for training.")
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: cores)")
    options = parser.parse_args(argv)
    corpus, out = find(options.root), options.out
    print(described(corpus))
    plans = planned(corpus, out)
    refuse_others(out, plans)
    done = prepare_all(plans, options.jobs)
    write_manifest(done, out)
    plot(done, out / "statistics.png")
    text = statistics(corpus, done)
    write_text(out / "statistics.md", text)
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
