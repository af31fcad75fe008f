"""What the models sound like: reconstructions, samples and conversions, as WAV, pictures and a page to listen through.

    python -m recipes.vctk.samples FOLDER OUT --model CODEC --prior PRIOR

FOLDER holds recordings that nothing was trained on. OUT gets ``index.html``, and each sound as ``.wav`` beside its
spectrogram, a ``.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

import vqaudio
from vqaudio.audio.resampling import read_mono
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.evaluation.clips import select
from vqaudio.evaluation.metrics import SAMPLE_RATE, Wave
from vqaudio.evaluation.page import MARK, RANGE_DB, draw_spectrogram, mel_levels, new_folder
from vqaudio.evaluation.writing import render, write_text
from vqaudio.prior.base import NONE
from vqaudio.prior.sampling import Sampling

TEMPLATE = Path(__file__).with_name("samples.html.jinja")
HOW = Sampling(temperature=0.9, top_p=0.95, guidance=1.5)


@dataclass
class Group:
    """Sounds side by side, on one scale: what each is, and the stem of its two files."""

    title: str
    sounds: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Section:
    """One part of the page."""

    title: str
    text: str
    groups: list[Group] = field(default_factory=list)


class Page:
    """Sections whose sounds and pictures are written into a folder as they come."""

    def __init__(self, folder: Path):
        self.folder, self.sections = folder, list[Section]()

    def section(self, title: str, text: str) -> None:
        """Begin a section."""
        self.sections.append(Section(title, text))

    def group(self, title: str, sounds: Sequence[tuple[str, str, Wave]]) -> None:
        """Add sounds side by side: for each what it is, the stem of its files, and its samples at 16 kHz."""
        group = Group(title)
        loudest = max(float(mel_levels(wave).max()) for _, _, wave in sounds)
        for label, stem, wave in sounds:
            write_array(wave, self.folder / f"{stem}.wav", sample_rate=SAMPLE_RATE)
            draw_spectrogram(wave, self.folder / f"{stem}.png", loudest=loudest)
            group.sounds.append((label, stem))
        self.sections[-1].groups.append(group)

    def write(self, codec: Codec) -> None:
        """Write ``index.html``."""
        text = render(TEMPLATE, codec=codec, sections=self.sections, range_db=RANGE_DB, mark=MARK)
        write_text(self.folder / "index.html", text)


# ---------------------------------------------------------------------------------------------------------- sections


def reconstruct(page: Page, codec: Codec, clips: Sequence[Path]) -> None:
    """Test recordings as codes bring them back, from all codebooks and from fewer."""
    page.section("Reconstructions", "Recordings of speakers whom the model never heard; it is told no speaker.")
    most = codec.n_codebooks
    for path in tqdm(clips, "reconstructing", disable=None):
        wave = read_mono(path, SAMPLE_RATE)
        sounds = [("original", path.stem, wave)]
        for count in sorted({1, (most + 1) // 2, most}, reverse=True):
            made = codec.decode(codec.encode(wave, SAMPLE_RATE, n_codebooks=count))[0]
            label = f"{count} codebook{'s' if count > 1 else ''}, {codec.kbps(count):.2f} kb/s"
            sounds.append((label, f"{path.stem}-{count}", made))
        page.group(path.stem, sounds)


def sample(page: Page, codec: Codec, speakers: Sequence[str], count: int) -> None:
    """Sounds that nobody said: by the prior alone, then with prior and decoder told the same speaker."""
    how = f"temperature {HOW.temperature:g}, top-p {HOW.top_p:g}, guidance {HOW.guidance:g}"
    page.section("Samples", f"Codes sampled from the prior ({how}): nobody said this.")
    frames = round(codec.prior.seconds * codec.frame_rate)
    for speaker in tqdm(["", *speakers], "sampling", disable=None):
        condition = f"speaker={speaker}" if speaker else NONE
        sampled = codec.sample_codes(frames, count=count, condition=condition, sampling=HOW)
        name = speaker or "nobody"
        sounds = [
            (f"sample {number}", f"sample-{name}-{number}", codec.decode(codes, speaker)[0])
            for number, codes in enumerate(sampled, start=1)
        ]
        page.group(f"in the voice of {speaker}" if speaker else "no speaker asked for", sounds)


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
        made = [(f"as {name}", f"{path.stem}-as-{name}", codec.decode(codes, name)[0]) for name in speakers]
        page.group(path.stem, [("original", f"{path.stem}-before", wave), *made])


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
    with new_folder(options.out) as folder:
        page = Page(folder)
        reconstruct(page, codec, clips)
        sample(page, codec, speakers, options.samples)
        convert(page, codec, clips, speakers)
        page.write(codec)
    print(options.out / "index.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
