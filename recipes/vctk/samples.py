"""What the models sound like: reconstructions, samples and conversions, on a page to listen through.

    python -m recipes.vctk.samples FOLDER OUT --model CODEC --prior PRIOR

FOLDER holds recordings that nothing was trained on. OUT is the page, one HTML file with all sounds in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

import vqaudio
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.desk.data import ORIGINAL, Desk, Take, mel_levels
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave
from vqaudio.evaluation.page import Page, inline
from vqaudio.prior.base import NONE
from vqaudio.prior.sampling import Sampling

ABOUT = "Mono at 16 kHz. Takes are played as loud as their original, where there is one."
HOW = Sampling(temperature=0.9, top_p=0.95, guidance=1.5)


def group(page: Page, title: str, sounds: Sequence[tuple[str, Wave]]) -> None:
    """Add sounds side by side: for each what it is, and its samples at 16 kHz."""
    loudest = max(float(mel_levels(wave).max()) for _, wave in sounds)
    takes = [
        inline(Take(name, name, "original" if name == ORIGINAL else "own", ""), wave, loudest=loudest)
        for name, wave in sounds
    ]
    reference = ORIGINAL if sounds[0][0] == ORIGINAL else None
    page.add(Desk(id=title, title=title, takes=tuple(takes), selected=takes[0].key, reference=reference))


# ---------------------------------------------------------------------------------------------------------- sections


def reconstruct(page: Page, codec: Codec, clips: Sequence[Path]) -> None:
    """Test recordings as codes bring them back, from all codebooks and from fewer."""
    page.section("Reconstructions", "Recordings of speakers whom the model never heard; it is told no speaker.")
    most = codec.n_codebooks
    for path in tqdm(clips, "reconstructing", disable=None):
        wave = read_mono(path, SAMPLE_RATE)
        sounds = [(ORIGINAL, wave)]
        for count in sorted({1, (most + 1) // 2, most}, reverse=True):
            made = codec.decode(codec.encode(wave, SAMPLE_RATE, n_codebooks=count))[0]
            label = f"{count} codebook{'s' if count > 1 else ''}, {codec.kbps(count):.2f} kb/s"
            sounds.append((label, made))
        group(page, path.stem, sounds)


def sample(page: Page, codec: Codec, speakers: Sequence[str], count: int) -> None:
    """Sounds that nobody said: by the prior alone, then with prior and decoder told the same speaker."""
    how = f"temperature {HOW.temperature:g}, top-p {HOW.top_p:g}, guidance {HOW.guidance:g}"
    page.section("Samples", f"Codes sampled from the prior ({how}): nobody said this.")
    frames = round(codec.prior.seconds * codec.frame_rate)
    for speaker in tqdm(["", *speakers], "sampling", disable=None):
        condition = f"speaker={speaker}" if speaker else NONE
        sampled = codec.sample_codes(frames, count=count, condition=condition, sampling=HOW)
        sounds = [
            (f"sample {number}", codec.decode(codes, speaker)[0]) for number, codes in enumerate(sampled, start=1)
        ]
        group(page, f"in the voice of {speaker}" if speaker else "no speaker asked for", sounds)


def convert(page: Page, codec: Codec, clips: Sequence[Path], speakers: Sequence[str]) -> None:
    """The same codes in several voices (van den Oord et al., 2017, section 4.3)."""
    page.section(
        "Conversions",
        "What unseen speakers say, in voices of training speakers: the codes of one codebook, and a decoder that is "
        "told another speaker. More codebooks would carry more of the first voice along.",
    )
    for path in tqdm(clips, "converting", disable=None):
        wave = read_mono(path, SAMPLE_RATE)
        codes = codec.encode(wave, SAMPLE_RATE, n_codebooks=1)
        made = [(f"as {name}", codec.decode(codes, name)[0]) for name in speakers]
        group(page, path.stem, [(ORIGINAL, wave), *made])


def spread(names: Sequence[str], count: int) -> list[str]:
    """So many of the names, evenly spread over them."""
    return [names[index * len(names) // count] for index in range(min(count, len(names)))]


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="samples.py", description="Make a page to listen to the models.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prior", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=6, help="recordings (default: %(default)s)")
    parser.add_argument("--speakers", type=int, default=4, help="to sample and to convert to (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=3, help="of each (default: %(default)s)")
    options = parser.parse_args(argv)
    clips = select(options.folder, limit=options.clips, min_seconds=1.0).paths
    codec = vqaudio.load(options.model, prior=options.prior)
    speakers = spread(codec.speakers, options.speakers)
    page = Page(options.out, ABOUT)
    reconstruct(page, codec, clips)
    sample(page, codec, speakers, options.samples)
    convert(page, codec, clips, speakers)
    page.write(f"{codec.name}: what it sounds like")
    print(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
