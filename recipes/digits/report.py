"""Judges the digits model: can others tell what it says, and in whose voice, and can it tell what others say?

    python -m recipes.digits.report RUN [--strings 600]

RUN is the folder of the recipe (runs/digits): what its stages made is read, and report/ is written: report.md,
figures.json, sounds and a picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import vqaudio
from recipes.digits.compose import SAMPLE_RATE, draw, read_takes
from recipes.digits.judge import Judges
from recipes.digits.strings import MOST, WORDS
from vqaudio import tokens
from vqaudio.audio.recordings import list_recordings
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.corpora import open_corpus
from vqaudio.evaluation import require
from vqaudio.evaluation.memorization import memorization, spans_of
from vqaudio.evaluation.metrics import Wave
from vqaudio.evaluation.writing import markdown, number, render, share, write_json, write_text
from vqaudio.prior.sampling import Sampling

TEMPLATE = Path(__file__).with_name("report.md.jinja")
QUIET_DB = 35.0
"""What is so far below the loudest 20 ms is a pause."""
LONG_PAUSE = 1.0  # seconds
SPAN_SECONDS, SPANS = 0.5, 400
"""How long a copy of a training take is looked for, about a digit, and in how many places."""
SCORED = 150  # strings, of takes for validation and of those for training


@dataclass
class Strings:
    """Sounds ``(samples,)``, what is said in each, and by whom."""

    sounds: list[Wave]
    texts: list[str]
    speakers: list[str]


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="report.py", description="Judge the digits model.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--strings", type=int, default=600, help="to draw (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--guidance", type=float, default=1.5)
    options = parser.parse_args(argv)
    run, out = options.run, options.run / "report"
    codec = vqaudio.load(run / "codec/model.safetensors", prior=run / "prior/model.int8.safetensors")
    how = Sampling(options.temperature, 0, options.top_p, options.guidance)
    real = read_strings(run / "strings")
    decoded = Strings(
        [reconstruct(sound, codec) for sound in tqdm(real.sounds, "decoding", disable=None)], real.texts, real.speakers
    )
    sampled, codes, speed = sample(codec, options.strings, how)
    judges, learned = Judges.load(run / "judge.pt"), real_strings(run / "data", min(SCORED, options.strings))
    figures: dict[str, float] = {"times real time": speed}
    for name, strings in (("real", real), ("decoded", decoded), ("sampled", sampled)):
        figures |= {f"{key} {name}": value for key, value in judged(strings, judges).items()}
    figures |= {f"{key} real": value for key, value in bits_of(codec, real, len(learned.texts)).items()}
    figures |= {f"{key} learned": value for key, value in bits_of(codec, learned, len(learned.texts)).items()}
    heard = [transcript(codec, sound) for sound in tqdm(real.sounds, "transcribing", disable=None)]
    right, whole = accuracy(real.texts, heard)
    figures |= {"digit transcribed": right, "string transcribed": whole}
    rows = [row for row in tokens.read(run / "tokens")[1] if row.version == 0]
    known, kept = ([np.stack(row.codes) for row in rows if row.split == split] for split in ("train", "valid"))
    spans, others = (spans_of(some, round(SPAN_SECONDS * codec.frame_rate))[:SPANS] for some in (codes, kept))
    near = memorization(spans, others, training=known) if spans and others else None
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "figures.json", figures | (vars(near) if near else {}))
    save_sounds(out, sampled, real)
    counts = {"sampled": len(sampled.sounds), "real": len(real.sounds)}
    text = render(TEMPLATE, table=as_table(figures), near=near, how=how, figures=figures, **counts)
    write_text(out / "report.md", text)
    print(text)
    return 0


# -------------------------------------------------------------------------------------------------------------- sounds


def read_strings(folder: Path) -> Strings:
    """The strings for validation that recipes.digits.compose made."""
    found = Strings([], [], [])
    for part in open_corpus(str(folder)).parts(64):
        for utterance, sound in part.read(SAMPLE_RATE):
            if utterance.split == "valid" and not isinstance(sound, str):
                found.sounds.append(sound)
                found.texts.append(utterance.text)
                found.speakers.append(utterance.speaker)
    return found


def real_strings(data: Path, count: int) -> Strings:
    """Strings of real takes for training, as they are."""
    takes = read_takes(item for item in list_recordings(data) if (item.corpus, item.split) == ("digits", "train"))
    random, found = np.random.default_rng(1), Strings([], [], [])
    for place in range(count):
        speaker = list(takes)[place % len(takes)]
        spoken = draw(takes[speaker], random=random, varied=False)
        found.sounds.append(spoken.sound)
        found.texts.append(spoken.text)
        found.speakers.append(speaker)
    return found


def reconstruct(sound: Wave, codec: Codec) -> Wave:
    """A sound as codes bring it back."""
    return codec.decode(codec.encode(sound, codec.sample_rate))[0]


def sample(codec: Codec, count: int, how: Sampling) -> tuple[Strings, list[NDArray[np.int32]], float]:
    """Strings of random digits by each speaker in turn, their codes, and seconds of sound a second of processor time.

    One after the other, as a command draws them: side by side they are quicker.
    """
    speakers, random = codec.prior.fields["speaker"], np.random.default_rng(2)
    found, codes = Strings([], [], []), []
    began = time.process_time()
    for place in tqdm(range(count), "sampling", disable=None):
        speaker = speakers[place % len(speakers)]
        text = " ".join(WORDS[digit] for digit in random.integers(len(WORDS), size=random.integers(1, MOST + 1)))
        own = Sampling(how.temperature, how.top_k, how.top_p, how.guidance, seed=place)
        (one,) = codec.say_codes([text], condition=f"speaker={speaker}", sampling=own)
        codes.append(np.stack([stream[0] for stream in one.streams]))
        found.sounds.append(codec.decode(one)[0])
        found.texts.append(text)
        found.speakers.append(speaker)
    seconds = sum(map(len, found.sounds)) / codec.sample_rate
    return found, codes, seconds / (time.process_time() - began)


def transcript(codec: Codec, sound: Wave) -> str:
    """What the model hears."""
    found = codec.transcribe(sound, SAMPLE_RATE)
    return found[0].text if found else ""


# ------------------------------------------------------------------------------------------------------------- figures


def accuracy(texts: Sequence[str], heard: Sequence[str]) -> tuple[float, float]:
    """The share of words that are right, by the least number of changes, and of texts that are right as a whole."""
    distance = require("torchaudio").functional.edit_distance
    pairs = [(text.split(), other.split()) for text, other in zip(texts, heard, strict=True)]
    wrong = sum(distance(one, other) for one, other in pairs)
    return 1.0 - wrong / sum(len(one) for one, _ in pairs), float(np.mean([one == other for one, other in pairs]))


def judged(strings: Strings, judges: Judges) -> dict[str, float]:
    """What judges find in some strings: digits, whole strings, speakers; and how long they and their pauses are."""
    right, whole = accuracy(strings.texts, [judges.of_digits.listen(sound) for sound in strings.sounds])
    named = [judges.of_speakers.name(sound) for sound in strings.sounds]
    n_digits = sum(len(text.split()) for text in strings.texts)
    return {
        "digit": right,
        "string": whole,
        "speaker": float(np.mean([name == speaker for name, speaker in zip(named, strings.speakers, strict=True)])),
        "seconds": sum(map(len, strings.sounds)) / SAMPLE_RATE / n_digits,
        "long pause": float(np.mean([longest_pause(sound) > LONG_PAUSE for sound in strings.sounds])),
    }


def bits_of(codec: Codec, strings: Strings, count: int) -> dict[str, float]:
    """Bits a code of the first so many strings, told their text or not."""
    pairs = list(zip(strings.sounds, strings.texts, strings.speakers, strict=True))[:count]
    found = [
        codec.score_text(sound, SAMPLE_RATE, text, condition=f"speaker={speaker}")
        for sound, text, speaker in tqdm(pairs, "scoring", disable=None)
    ]
    codes = sum(one.tokens for one in found)
    return {
        "told bits": sum(one.told for one in found) / codes,
        "untold bits": sum(one.untold for one in found) / codes,
    }


def longest_pause(sound: Wave) -> float:
    """Seconds, of the longest stretch that is quiet."""
    size = SAMPLE_RATE // 50
    levels = (sound[: len(sound) // size * size].reshape(-1, size) ** 2).mean(-1)
    longest = lasted = 0
    for quiet in levels < levels.max(initial=0.0) * 10 ** (-QUIET_DB / 10):
        lasted = lasted + 1 if quiet else 0
        longest = max(longest, lasted)
    return longest * size / SAMPLE_RATE


def as_table(figures: dict[str, float]) -> str:
    """What the judges found, as a table."""
    kinds = ("real", "decoded", "sampled")
    rows = [
        ["digits right", *(share(figures[f"digit {kind}"], 1) for kind in kinds)],
        ["whole strings right", *(share(figures[f"string {kind}"], 1) for kind in kinds)],
        ["speakers right", *(share(figures[f"speaker {kind}"], 1) for kind in kinds)],
        ["seconds a digit", *(number(figures[f"seconds {kind}"], 3) for kind in kinds)],
        ["strings with a pause of more than a second", *(share(figures[f"long pause {kind}"], 1) for kind in kinds)],
    ]
    return markdown(["the judges find", "in real strings", "in their reconstructions", "in sampled strings"], rows)


def save_sounds(out: Path, sampled: Strings, real: Strings) -> None:
    """The first strings as WAV, and a picture of some beside real ones."""
    pyplot = require("matplotlib.pyplot")
    for text, speaker, sound in list(zip(sampled.texts, sampled.speakers, sampled.sounds, strict=True))[:24]:
        write_array(sound, out / f"{speaker}-{text.replace(' ', '-')}.wav", sample_rate=SAMPLE_RATE)
    figure, axes = pyplot.subplots(4, 2, figsize=(12, 9), constrained_layout=True)
    for column, (strings, kind) in enumerate(((real, "real"), (sampled, "sampled"))):
        for axis, text, speaker, sound in zip(
            axes[:, column], strings.texts, strings.speakers, strings.sounds, strict=False
        ):
            axis.specgram(sound + 1e-6, NFFT=256, noverlap=192, Fs=SAMPLE_RATE, vmin=-130, cmap="magma")
            axis.set_title(f"{text}, {speaker}, {kind}", fontsize=8)
            axis.set(xlabel="s", ylabel="Hz")
    figure.savefig(out / "spectrograms.png", dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    raise SystemExit(main())
