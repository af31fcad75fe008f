"""Judges a prior of speech: bytes saved, bits lost to integers and on unseen speech, speakers, memorization.

Writes report.md.

    python -m recipes.speech16k.prior_report FOLDER TOKENS NETWORK [--model NAME] [--prior PATH] [--out OUT]

FOLDER holds the recordings with their manifest, TOKENS what the prior learned from, NETWORK is the network in floating
point; its quantized export is the one that ships with the model, or PATH.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

import vqaudio
from recipes.speech16k.run import READ
from vqaudio import tokens
from vqaudio.audio.recordings import Recording, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.evaluation.classifier import SoundClassifier
from vqaudio.evaluation.memorization import memorization, spans_of
from vqaudio.evaluation.metrics import Wave
from vqaudio.evaluation.writing import markdown, share, write_text
from vqaudio.intnet.intervals import bits_of
from vqaudio.prior.integer import IntegerPrior
from vqaudio.prior.sampling import Sampling
from vqaudio.registry import DEFAULT_MODEL
from vqaudio.tokens import Row
from vqaudio.wavenet import WaveNet, saved

MODES = ("none", "context", "prior")
LEAST_SECONDS = 10.0  # of files whose size is judged
SPEAKER_SECONDS, CLIP_SECONDS = 60.0, 5.0  # speech of a speaker who takes part; length of what the judge hears
HELD_OUT = 0.25  # share of a speaker's clips that the judge does not learn from
CLIPS = 10  # sampled for each speaker
COPY_SECONDS = 1.0


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="prior_report.py", description="Judge a prior of speech.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("network", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--prior", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/speech16k/prior/report"))
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--guidance", type=float, default=1.5)
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    codec = vqaudio.load(options.model, prior=options.prior)
    recordings = list_recordings(options.folder)
    rows = tokens.read(options.tokens)[1]
    how = Sampling(options.temperature, 0, options.top_p, options.guidance)
    lines = ["# The prior of speech", ""]
    lines += sizes(codec, [r for r in recordings if r.split == "valid" and r.corpus in ("librispeech", "vctk")])
    lines += integer_loss(codec, saved.load(options.network).net, rows)
    lines += judge_speakers(codec, [r for r in recordings if r.split == "train"], how, options.out)
    lines += judge_memorization(codec, rows, how)
    text = "\n".join(lines)
    write_text(options.out / "report.md", text)
    print(text)
    return 0


# -------------------------------------------------------------------------------------------------------------- bytes


def sizes(codec: Codec, recordings: Sequence[Recording]) -> list[str]:
    """Whole files of unseen speakers in each entropy mode."""
    sounds = [read_mono(item.path, codec.sample_rate) for item in recordings]
    sounds = [sound for sound in sounds if len(sound) >= LEAST_SECONDS * codec.sample_rate]
    seconds = sum(map(len, sounds)) / codec.sample_rate
    lines = [
        f"Whole files, {len(sounds)} recordings of {LEAST_SECONDS:g} s or more, unseen speakers:",
        "",
    ]
    rows = []
    for number in [*range(1, min(4, codec.n_codebooks)), codec.n_codebooks]:
        total = {
            mode: sum(len(codec.compress(s, codec.sample_rate, n_codebooks=number, entropy=mode)) for s in sounds)
            for mode in MODES
        }
        rates = [f"{total[mode] * 8 / seconds / 1000:.3f}" for mode in MODES]
        rows.append([str(number), *rates, *(share(1 - total[mode] / total["none"], 1) for mode in MODES[1:])])
    header = ["codebooks", *(f"{mode}, kb/s" for mode in MODES), *(f"{mode} saves" for mode in MODES[1:])]
    return [*lines, markdown(header, rows), ""]


def integer_loss(codec: Codec, net: WaveNet, rows: Sequence[Row]) -> list[str]:
    """Bits a code on unseen recordings by the network in floating point and by its quantized export, on the same codes.

    And on recordings that were learned from, as many of each corpus; no speaker is told.
    """
    in_reals, in_integers = partial(by_network, net), partial(by_integers, codec.prior)
    lines = []
    for count in sorted({len(row.codes) for row in rows}):
        coded = [row for row in rows if len(row.codes) == count and row.version == 0]
        valid, learned = [row for row in coded if row.split == "valid"], []
        for corpus in sorted({row.corpus for row in valid}):
            known = [row for row in coded if row.split == "train" and row.corpus == corpus]
            learned += known[:: max(1, len(known) // sum(row.corpus == corpus for row in valid))]
        real, integer = bits_a_code(codec, valid, in_reals), bits_a_code(codec, valid, in_integers)
        before = bits_a_code(codec, learned, in_integers)
        lines.append(
            f"{count} codebooks, all validation recordings: {real:.4f} bits a code in floating point, {integer:.4f} in "
            f"integers ({integer / real - 1:+.2%}); as many recordings that were learned from: {before:.4f} "
            f"({integer / before - 1:+.2%} on unseen ones)."
        )
    return [*lines, ""]


Crop = list[NDArray[np.int64]]


def bits_a_code(codec: Codec, rows: Sequence[Row], cost: Callable[[Crop], float]) -> float:
    """The mean over rows in chunks as files have them, where ``cost`` gives the bits of a chunk."""
    frames = round(codec.prior.seconds * codec.frame_rate)
    bits, codes = 0.0, 0
    for row in rows:
        for at in range(0, len(row.codes[0]), frames):
            crop = [part[None, at : at + frames].astype(np.int64) for part in row.codes]
            bits += cost(crop)
            codes += sum(part.size for part in crop)
    return bits / codes


def by_integers(prior: IntegerPrior, crop: Crop) -> float:
    """What a chunk costs in a file, in bits."""
    return sum(float(bits_of(found).sum()) for _, found in prior.intervals(crop))


@torch.inference_mode()
def by_network(net: WaveNet, crop: Crop) -> float:
    """What it would cost if the network in floating point could be had everywhere, in bits."""
    logits = net([torch.from_numpy(part) for part in crop])
    nats = [
        torch.nn.functional.cross_entropy(values[0], torch.from_numpy(known[0]), reduction="sum")
        for values, known in zip(logits, crop, strict=True)
    ]
    return float(sum(nats)) / float(np.log(2.0))


# ------------------------------------------------------------------------------------------------------------- voices


@dataclass
class Clips:
    """Sounds ``(samples,)`` and who speaks."""

    sounds: list[Wave]
    speakers: list[str]


def judge_speakers(codec: Codec, recordings: Sequence[Recording], how: Sampling, out: Path) -> list[str]:
    """Whether a judge that learned from reconstructions names the speaker whom the prior was told."""
    learned, kept = speaker_clips(codec, recordings)
    decoded = [
        Clips([reconstruct(codec, sound) for sound in tqdm(clips.sounds, "decoding", disable=None)], clips.speakers)
        for clips in (learned, kept)
    ]
    sampled = Clips([], [])
    names = sorted(set(learned.speakers))
    for name in tqdm(names, "sampling", disable=None):
        frames = round(CLIP_SECONDS * codec.frame_rate)
        found = codec.sample(frames, count=CLIPS, condition=f"speaker={name}", sampling=how)
        sampled.sounds += found
        sampled.speakers += [name] * len(found)
        write_array(found[0], out / f"{name}.wav", sample_rate=codec.sample_rate)
    of_real, of_decoded = SoundClassifier(codec.sample_rate), SoundClassifier(codec.sample_rate)
    of_real.fit(learned.sounds, learned.speakers)
    of_decoded.fit(decoded[0].sounds, decoded[0].speakers)
    return [
        f"Of {len(names)} speakers with {SPEAKER_SECONDS:g} s of speech or more, a support vector machine on MFCC "
        f"statistics of {CLIP_SECONDS:g} s names the right one (chance {1 / len(names):.0%}): of held-out real clips "
        f"{of_real.accuracy(kept.sounds, kept.speakers):.0%}, when it learned from real ones; of their reconstructions "
        f"{of_decoded.accuracy(decoded[1].sounds, kept.speakers):.0%}, and of {len(sampled.sounds)} sampled clips "
        f"{of_decoded.accuracy(sampled.sounds, sampled.speakers):.0%}, when it learned from reconstructions.",
        "",
    ]


def speaker_clips(codec: Codec, recordings: Sequence[Recording]) -> tuple[Clips, Clips]:
    """Clips of all who speak long enough, for the judge to learn from and to be tried with."""
    size = round(CLIP_SECONDS * codec.sample_rate)
    by_speaker: dict[str, list[Wave]] = {}
    for item in recordings:
        if (
            item.corpus in READ and item.speaker in codec.prior.fields["speaker"]
        ):  # elsewhere numbers are other people's
            by_speaker.setdefault(item.speaker, []).append(read_mono(item.path, codec.sample_rate))
    learned, kept = Clips([], []), Clips([], [])
    for speaker, sounds in by_speaker.items():
        if sum(map(len, sounds)) < SPEAKER_SECONDS * codec.sample_rate:
            continue
        joined = np.concatenate(sounds)
        clips = [joined[at : at + size] for at in range(0, len(joined) - size + 1, size)]
        first = len(clips) - max(1, round(HELD_OUT * len(clips)))
        for part, some in ((learned, clips[:first]), (kept, clips[first:])):
            part.sounds += some
            part.speakers += [speaker] * len(some)
    return learned, kept


def reconstruct(codec: Codec, sound: Wave) -> Wave:
    """A sound as codes bring it back."""
    return codec.decode(codec.encode(sound, codec.sample_rate))[0]


# -------------------------------------------------------------------------------------------------------------- copies


def judge_memorization(codec: Codec, rows: Sequence[Row], how: Sampling) -> list[str]:
    """Whether what is sampled comes nearer to the training recordings than real speech does.

    From the prior as it is, and as ``how`` says: likely codes are nearer, whether they are remembered or not.
    """
    frames = round(COPY_SECONDS * codec.frame_rate)
    full = [row for row in rows if len(row.codes) == codec.n_codebooks and row.version == 0 and row.corpus != "digits"]
    learned, kept = ([np.stack(row.codes) for row in full if row.split == split] for split in ("train", "valid"))
    lines = []
    for way in (Sampling(), how):
        found = codec.sample_codes(20 * frames, count=10, sampling=way)
        sampled: list[NDArray[np.int32]] = [np.stack([stream[0] for stream in one.streams]) for one in found]
        near = memorization(spans_of(sampled, frames), spans_of(kept, frames)[:200], training=learned)
        lines.append(
            f"Temperature {way.temperature:g}, top-p {way.top_p:g}: codes that differ from the nearest "
            f"{COPY_SECONDS:g} s of a training recording: {near.sampled:.0%} in sampled spans, {near.held_out:.0%} in "
            f"held-out recordings (medians). {near.closer:.0%} of the sampled spans are nearer than all but 5 % of the "
            "held-out ones."
        )
    return [*lines, ""]


if __name__ == "__main__":
    raise SystemExit(main())
