"""Judges the digits model: can others tell what it says, and in whose voice? Writes report.md, sounds and a picture.

    python -m recipes.digits.report RUN

RUN is the folder of the recipe (runs/digits): data/, tokens/, codec/ and prior/ are read, report/ is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

import vqaudio
from vqaudio import tokens
from vqaudio.audio.recordings import Recording, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.evaluation import require
from vqaudio.evaluation.classifier import SoundClassifier, trim_silence
from vqaudio.evaluation.memorization import memorization
from vqaudio.evaluation.metrics import Wave
from vqaudio.evaluation.writing import markdown, render, share, write_json, write_text
from vqaudio.prior.sampling import Sampling

STRETCHES = {"label": 5, "speaker": 1}  # a word has an order, a voice has none
NAMES = {"label": "digit", "speaker": "speaker"}
CHANCE = {"label": 1 / 10, "speaker": 1 / 6}
TEMPLATE = Path(__file__).with_name("report.md.jinja")


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="report.py", description="Judge the digits model.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--clips", type=int, default=10, help="of each digit by each speaker (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--guidance", type=float, default=1.5)
    options = parser.parse_args(argv)
    run, out = options.run, options.run / "report"
    codec = vqaudio.load(run / "codec/model.safetensors", prior=run / "prior/model.int8.safetensors")
    recordings = list_recordings(run / "data")
    real = {split: Spoken.read([r for r in recordings if r.split == split], codec) for split in ("train", "valid")}
    valid = real["valid"]
    reconstructions = [reconstruct(sound, codec) for sound in tqdm(valid.sounds, "decoding", disable=None)]
    decoded = Spoken(reconstructions, valid.labels)
    how = Sampling(options.temperature, 0, options.top_p, options.guidance)
    sampled, codes = sample(codec, options.clips, how)
    figures: dict[str, float] = {}
    for field, parts in STRETCHES.items():
        judge = SoundClassifier(codec.sample_rate, parts)
        judge.fit(real["train"].sounds, real["train"].labels[field])
        for name, spoken in (("real", real["valid"]), ("decoded", decoded), ("sampled", sampled)):
            figures[f"{field} {name}"] = judge.accuracy(spoken.sounds, spoken.labels[field])
    rows = tokens.read(run / "tokens")[1]
    learned, kept = ([np.stack(row.codes) for row in rows if row.split == split] for split in ("train", "valid"))
    frames = codes[0].shape[1]
    near = memorization(codes, [part[:, :frames] for part in kept if part.shape[1] >= frames], training=learned)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "figures.json", figures | vars(near))
    save_sounds(out, sampled, real["valid"], codec.sample_rate)
    counts = {"sampled": len(sampled.sounds), "real": len(valid.sounds)}
    text = render(TEMPLATE, table=accuracies(figures), near=near, how=how, **counts)
    write_text(out / "report.md", text)
    print(text)
    return 0


class Spoken:
    """Sounds ``(samples,)`` with what is known of them, by field."""

    def __init__(self, sounds: list[Wave], labels: dict[str, list[str]]):
        self.sounds, self.labels = sounds, labels

    @classmethod
    def read(cls, recordings: list[Recording], codec: Codec) -> Spoken:
        """Recordings at the codec's rate."""
        sounds = [read_mono(item.path, codec.sample_rate) for item in recordings]
        return cls(sounds, {field: [getattr(item, field) for item in recordings] for field in STRETCHES})


def reconstruct(sound: Wave, codec: Codec) -> Wave:
    """A sound as codes bring it back."""
    return codec.decode(codec.encode(sound, codec.sample_rate))[0]


def sample(codec: Codec, clips: int, how: Sampling) -> tuple[Spoken, list[NDArray[np.int32]]]:
    """So many clips of each digit by each speaker, and their codes ``(streams, frames)``."""
    fields = codec.prior.fields
    pairs = [(label, speaker) for label in fields["label"] for speaker in fields["speaker"]]
    sounds: list[Wave] = []
    labels: dict[str, list[str]] = {"label": [], "speaker": []}
    codes = []
    n_frames = round(codec.prior.seconds * codec.frame_rate)
    for label, speaker in tqdm(pairs, "sampling", disable=None):
        found = codec.sample_codes(n_frames, count=clips, condition=f"label={label},speaker={speaker}", sampling=how)
        codes += [np.stack([stream[0] for stream in one.streams]) for one in found]
        sounds += [codec.decode(one)[0] for one in found]
        labels["label"] += [label] * clips
        labels["speaker"] += [speaker] * clips
    return Spoken(sounds, labels), codes


def save_sounds(out: Path, sampled: Spoken, real: Spoken, rate: int) -> None:
    """The first clip of each digit and speaker as WAV, and a picture of some beside real ones."""
    pyplot = require("matplotlib.pyplot")
    speakers, digits = sorted(set(sampled.labels["speaker"])), sorted(set(sampled.labels["label"]))
    first = {}
    for sound, label, speaker in zip(sampled.sounds, sampled.labels["label"], sampled.labels["speaker"], strict=True):
        if (label, speaker) not in first:
            first[label, speaker] = sound
            write_array(sound, out / f"{label}_{speaker}.wav", sample_rate=rate)
    known = dict(zip(zip(real.labels["label"], real.labels["speaker"], strict=True), real.sounds, strict=True))
    figure, axes = pyplot.subplots(4, len(digits), figsize=(1.6 * len(digits), 6), constrained_layout=True)
    for column, digit in enumerate(digits):
        for row, (speaker, source) in enumerate((s, src) for s in speakers[:2] for src in (known, first)):
            shown = trim_silence(source[digit, speaker], rate)
            spectrum = torch.stft(
                torch.from_numpy(np.ascontiguousarray(shown)),
                256,
                64,
                window=torch.hann_window(256),
                return_complex=True,
            )
            level = 20 * np.log10(spectrum.abs().numpy() + 1e-4)
            axis = axes[row][column]
            axis.imshow(level, origin="lower", aspect="auto", vmin=level.max() - 70, cmap="magma")
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{digit}, {speaker}, {'real' if source is known else 'sampled'}", fontsize=6)
    figure.savefig(out / "spectrograms.png", dpi=130)
    pyplot.close(figure)


def accuracies(figures: dict[str, float]) -> str:
    """How often the judge is right, as a table."""
    header = [
        "the judge names the right",
        "of real recordings",
        "of their reconstructions",
        "of sampled clips",
        "by chance",
    ]
    rows = [
        [
            name,
            *(share(figures[f"{field} {kind}"], 1) for kind in ("real", "decoded", "sampled")),
            share(CHANCE[field], 1),
        ]
        for field, name in NAMES.items()
    ]
    return markdown(header, rows)


if __name__ == "__main__":
    raise SystemExit(main())
