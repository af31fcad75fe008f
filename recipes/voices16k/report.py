"""Judges a model that changes voices: who is heard, what is left of the words, what the codes know. Writes report.md.

    python -m recipes.voices16k.report MODEL OUT [--folder FOLDER] [--quick]

FOLDER (default: $VQAUDIO_DATA/speech, or ../shared/data/speech) holds the recordings with their manifest, and in
digits/ the Free Spoken Digit Dataset. OUT gets report.md, report.json and sounds/.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import vqaudio
from recipes.speech16k.run import READ
from vqaudio.audio.recordings import Recording, data_folder, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.classifier import trim_silence
from vqaudio.evaluation.conversion import Estimate, SpeakerIdentifier, content_distance, estimate
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave, stoi
from vqaudio.evaluation.probe import SEGMENTS, code_features, mel_features, predicted_right
from vqaudio.evaluation.writing import render, write_json, write_text

TARGET_SECONDS = 60.0  # speech in training of those whose voices are asked for
RECORDINGS = 10  # of a speaker at most, so that all count alike
SHORTEST, LONGEST = 1.0, 10.0  # seconds of what is converted
CLIPS, CLIP_SECONDS = 16, 2.0  # of each speaker, for the judge to learn from
CORPORA = ("librispeech", "vctk")  # whose validation speakers are converted
TAKE = re.compile(r"(\d)_([a-z]+)_(\d+)\.(?:flac|wav)")  # digit, speaker, take
TAKES, QUICK_TAKES = 20, 2  # of each digit by each speaker
KEPT = 3  # speakers whose conversions are kept as sounds
VERDICT = ("target", "source", "other", "of_targets")


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="report.py", description="Judge a model that changes voices.")
    parser.add_argument("model", help="a shipped model, or a file")
    parser.add_argument("out", type=Path)
    parser.add_argument("--folder", type=Path, default=data_folder())
    parser.add_argument("--quick", action="store_true", help="few speakers and digits: shows that everything runs")
    options = parser.parse_args(argv)
    codec = vqaudio.load(options.model)
    if codec.sample_rate != SAMPLE_RATE or not codec.speakers:
        raise VqaudioError(
            f"{codec.name} runs at {codec.sample_rate} Hz and knows {len(codec.speakers)} speakers; name a model at "
            f"{SAMPLE_RATE} Hz that was trained with speaker_corpora"
        )
    recordings = list_recordings(options.folder)
    # In other corpora the same numbers are other people's.
    known = [r for r in recordings if r.split == "train" and r.corpus in READ and r.speaker in codec.speakers]
    targets = speakers(known, TARGET_SECONDS)
    sources = speakers([r for r in recordings if r.split == "valid" and r.corpus in CORPORA], 2 * SHORTEST)
    if options.quick:
        targets, sources = targets[:2], sources[:1]
    if len(targets) < 2 or not sources:
        raise VqaudioError(
            f"{options.folder}: {len(targets)} training speakers with {TARGET_SECONDS:g} s or more and {len(sources)} "
            f"validation speakers of {' or '.join(CORPORA)} found, expected two and one at least; name another folder"
        )
    (options.out / "sounds").mkdir(parents=True, exist_ok=True)
    heard = list(clips_to_judge(codec, targets, sources))
    figures = {
        "model": {"name": codec.name, "kbps": codec.kbps(codec.n_codebooks), "speakers": len(codec.speakers)},
        "voices": voices(heard, targets, sources),
        "words": words(heard, {one.name: one for one in [*targets, *sources]}),
        "probe": probe(codec, options.folder / "digits", QUICK_TAKES if options.quick else TAKES),
    }
    save_sounds(options.out / "sounds", heard, targets)
    text = written(figures)
    write_json(options.out / "report.json", figures, decimals=4)
    write_text(options.out / "report.md", text)
    print(text)
    return 0


# ------------------------------------------------------------------------------------------------------------- sounds


@dataclass(frozen=True)
class Speaker:
    """Speech of one person ``(samples,)`` at 16 kHz: what the judge learns from, and what it does not."""

    name: str
    learned: list[Wave]
    kept: list[Wave]


def speakers(recordings: Sequence[Recording], least_seconds: float) -> list[Speaker]:
    """All with enough speech: every other recording, or half of a single one, is for the judge to learn from."""
    by_name: dict[str, list[Recording]] = {}
    for item in recordings:
        if item.speaker:
            by_name.setdefault(item.speaker, []).append(item)
    found = []
    for name, items in by_name.items():
        sounds = [read_mono(item.path, SAMPLE_RATE) for item in items[:RECORDINGS]]
        if sum(map(len, sounds)) < least_seconds * SAMPLE_RATE:
            continue
        if len(sounds) == 1:
            sounds = np.array_split(sounds[0], 2)
        kept = [part[: round(LONGEST * SAMPLE_RATE)] for part in sounds[1::2] if len(part) >= SHORTEST * SAMPLE_RATE]
        if kept:
            found.append(Speaker(name, sounds[::2], kept))
    return found


@dataclass(frozen=True)
class JudgedClip:
    """What came out, from what, in whose voice ("" where none was asked for); ``kind`` is a row of the tables."""

    kind: str
    source: str
    target: str
    original: Wave
    sound: Wave


def clips_to_judge(codec: Codec, targets: Sequence[Speaker], sources: Sequence[Speaker]) -> Iterator[JudgedClip]:
    """All that is judged: recordings, reconstructions and conversions."""
    for one in tqdm(targets, "reconstructing", leave=False, disable=None):
        for sound in one.kept:
            codes = codec.encode(sound, SAMPLE_RATE)
            yield JudgedClip("target recordings", one.name, one.name, sound, sound)
            yield JudgedClip("reconstructions", one.name, one.name, sound, codec.decode(codes, one.name)[0])
    for one in tqdm(sources, "converting", leave=False, disable=None):
        for sound in one.kept:
            codes = codec.encode(sound, SAMPLE_RATE)
            yield JudgedClip("source recordings", one.name, "", sound, sound)
            yield JudgedClip("no voice asked for", one.name, "", sound, codec.decode(codes)[0])
            for target in targets:
                yield JudgedClip("conversions", one.name, target.name, sound, codec.decode(codes, target.name)[0])


def save_sounds(folder: Path, heard: Sequence[JudgedClip], targets: Sequence[Speaker]) -> None:
    """Conversions of the first speakers' first recordings, these, and a recording of each target, as WAV."""
    sounds = {f"target_{one.name}": one.kept[0] for one in targets}
    shown = list(dict.fromkeys(item.source for item in heard if item.kind == "conversions"))[:KEPT]
    for item in reversed(heard):  # the first recording of a speaker comes last and stays
        if item.source in shown and item.kind in ("source recordings", "conversions"):
            name = f"{item.source}_to_{item.target}" if item.target else f"source_{item.source}"
            sounds[name] = item.sound
    for name, sound in sounds.items():
        write_array(sound, folder / f"{name}.wav", sample_rate=SAMPLE_RATE)


# ------------------------------------------------------------------------------------------------------------- voices


def voices(heard: Sequence[JudgedClip], targets: Sequence[Speaker], sources: Sequence[Speaker]) -> dict[str, Any]:
    """Whom the judge names, of all speakers and of the targets alone."""
    judge = SpeakerIdentifier(SAMPLE_RATE)
    clips = [(clip, one.name) for one in [*targets, *sources] for clip in spread(one.learned)]
    judge.fit(*zip(*clips, strict=True))
    asked = [one.name for one in targets]
    sounds = [item.sound for item in heard]
    answers = list(zip(heard, judge.identify(sounds), judge.identify(sounds, asked), strict=True))
    figures: dict[str, Any] = {"targets": len(targets), "sources": len(sources), "kinds": {}, "by_target": {}}
    for kind in dict.fromkeys(item.kind for item in heard):
        rows = [row for row in answers if row[0].kind == kind]
        shares = zip(*(verdict(*row) for row in rows), strict=True)
        groups = [item.source for item, _, _ in rows]
        found = {part: estimate(values, groups) for part, values in zip(VERDICT, shares, strict=True)}
        figures["kinds"][kind] = {"clips": len(rows), **found}
    for target in asked:
        names = Counter(name for item, name, _ in answers if item.kind == "conversions" and item.target == target)
        figures["by_target"][target] = {"share": names[target] / names.total(), "named": dict(names.most_common(3))}
    return figures


def verdict(item: JudgedClip, name: str, of_targets: str) -> tuple[float, float, float, float]:
    """What two answers of the judge mean, in the order of ``VERDICT``; NaN for what they cannot."""
    told, changed = bool(item.target), item.source != item.target
    return (
        name == item.target if told else math.nan,
        name == item.source if changed else math.nan,
        name not in (item.source, item.target),
        of_targets == item.target if told else math.nan,
    )


def spread(sounds: Sequence[Wave]) -> list[Wave]:
    """As many clips of every speaker, evenly spread, overlapping where there is little speech."""
    joined = np.concatenate(sounds)
    size = min(len(joined), round(CLIP_SECONDS * SAMPLE_RATE))
    return [joined[at : at + size] for at in np.linspace(0, len(joined) - size, CLIPS).astype(int)]


# -------------------------------------------------------------------------------------------------------------- words


def words(heard: Sequence[JudgedClip], known: dict[str, Speaker]) -> dict[str, Any]:
    """Distances of what came out to what went in, beside those to other speech of the source and of the target."""
    random = np.random.default_rng(0)
    figures: dict[str, Any] = {}
    for kind in ("reconstructions", "no voice asked for", "conversions"):
        rows = [item for item in heard if item.kind == kind]
        groups = [item.source for item in rows]
        distances = []
        for item in tqdm(rows, f"warping {kind}", leave=False, disable=None):
            speech = [known[name].learned for name in (item.source, item.target or item.source)]
            others = [stretch(known_speech, len(item.original), random) for known_speech in speech]
            distances.append(
                [content_distance(item.sound, other, sample_rate=SAMPLE_RATE) for other in (item.original, *others)]
            )
        own, source, target = np.array(distances).T
        figures[kind] = {
            "own": estimate(own, groups),
            "of_source": estimate(source, groups),
            "of_target": estimate(target, groups),
            "own_to_source": estimate(own / source, groups),
            "own_to_target": estimate(own / target, groups),
            "nearest": estimate(own < np.minimum(source, target), groups),
        }
        figures[kind]["stoi"] = estimate(
            [math.nan if kind == "conversions" else stoi(item.original, item.sound) for item in rows],  # another voice
            groups,
        )
    return figures


def stretch(sounds: Sequence[Wave], size: int, random: np.random.Generator) -> Wave:
    """A random stretch of one of the sounds, of those that are long enough where there are any; shorter otherwise."""
    fitting = [sound for sound in sounds if len(sound) >= size] or [max(sounds, key=len)]
    sound = fitting[random.integers(len(fitting))]
    start = random.integers(max(0, len(sound) - size) + 1)
    return sound[start : start + size]


# -------------------------------------------------------------------------------------------------------------- probe


def probe(codec: Codec, folder: Path, takes: int) -> dict[str, Any]:
    """How well digit and speaker are told from codes and from mel spectra; nothing without the dataset."""
    named = [(path, TAKE.fullmatch(path.name)) for path in sorted(folder.rglob("*"))]
    rows = [(path, *match.group(1, 2, 3)) for path, match in named if match and int(match[3]) < takes]
    if not rows:
        return {}
    sounds = [trim_silence(read_mono(path, SAMPLE_RATE), SAMPLE_RATE) for path, *_ in rows]
    sounds = [sound / max(np.float32(1e-9), np.abs(sound).max()) for sound in sounds]  # level tells nothing
    digits, people, numbers = ([row[column] for row in rows] for column in (1, 2, 3))
    figures: dict[str, Any] = {"recordings": len(rows), "digits": len(set(digits)), "speakers": len(set(people))}
    for name, features in (("codes", code_features(codec, sounds)), ("mel", mel_features(sounds))):
        figures[name] = {
            "numbers": features.shape[1],
            "digit": estimate(predicted_right(features, digits, groups=people), people),
            "speaker": estimate(predicted_right(features, people, groups=numbers), people),
        }
    return figures


# --------------------------------------------------------------------------------------------------------------- text


def written(figures: dict[str, Any]) -> str:
    """The report."""
    filters = {"share": partial(shown, pattern="{:.0%}"), "number": partial(shown, pattern="{:.3f}")}
    return render(Path(__file__).with_name("report.md.jinja"), filters=filters, segments=SEGMENTS, **figures)


def shown(found: Estimate, pattern: str) -> str:
    """The mean, and where it is known its interval."""
    values = (found.mean, found.low, found.high)
    mean, low, high = ("-" if math.isnan(value) else pattern.format(value) for value in values)
    return mean if low == "-" else f"{mean} ({low} to {high})"


if __name__ == "__main__":
    raise SystemExit(main())
