"""Judges a prior of sentences: what their text tells of their codes, and what a recogniser hears of what it says.

    python -m recipes.sentences.report DATA PRIOR OUT [--model NAME] [--sentences 100]

DATA is the folder that recipes.sentences.prepare made; its test split is asked, whose speakers nothing was learned
from. OUT gets report.md, figures.json and the first sounds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from tqdm import tqdm

import vqaudio
from vqaudio.audio.sink import write_array
from vqaudio.cli import command
from vqaudio.codec.codec import Codec
from vqaudio.corpora import open_corpus
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.judges.words import words
from vqaudio.evaluation.metrics import Wave
from vqaudio.evaluation.writing import render, write_json, write_text
from vqaudio.prior.sampling import Sampling

TEMPLATE = Path(__file__).with_name("report.md.jinja")
KEPT = 12  # sounds


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="report.py", description="Judge a prior of sentences.")
    parser.add_argument("data", type=Path)
    parser.add_argument("prior", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="speech-16k-v4")
    parser.add_argument("--sentences", type=int, default=100, help="at most (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--guidance", type=float, default=2.0)
    options = parser.parse_args(argv)
    codec = vqaudio.load(options.model, prior=options.prior)
    texts, sounds = read_sentences(options.data, codec, options.sentences)
    how = Sampling(options.temperature, 0, options.top_p, options.guidance, seed=0)
    said = say(codec, texts, how)
    heard = {
        "in recordings": heard_in(sounds, texts),
        "in their codes": heard_in([coded(codec, sound) for sound in tqdm(sounds, "decoding", disable=None)], texts),
        "in what is said": heard_in(said, texts),
    }
    figures = {"sentences": len(texts), "words": sum(len(text.split()) for text in texts)}
    bits = bits_of_texts(codec, texts, sounds)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "figures.json", {**figures, **bits, "heard": heard})
    for text, sound in list(zip(texts, said, strict=True))[:KEPT]:
        write_array(sound, options.out / f"{text.replace(' ', '-')}.wav", sample_rate=codec.sample_rate)
    report = render(TEMPLATE, **figures, bits=bits, heard=heard, how=how, n_codebooks=codec.prior.n_codebooks)
    write_text(options.out / "report.md", report)
    print(report)
    return 0


def read_sentences(data: Path, codec: Codec, most: int) -> tuple[list[str], list[Wave]]:
    """Texts of the test split that the prior can spell, and their sounds ``(samples,)``.

    Raises:
        VqaudioError: there are none.
    """
    symbols = set(codec.prior.known_text().symbols)
    texts, sounds = [], []
    for part in open_corpus(str(data)).parts(64):
        for utterance, sound in part.read(codec.sample_rate):
            spelt = bool(utterance.starts) and set(utterance.text) <= symbols
            if utterance.split == "test" and spelt and not isinstance(sound, str):
                texts.append(utterance.text)
                sounds.append(sound)
    if not texts:
        raise VqaudioError(f"{data}: no recording of the split test has a text that the prior can spell")
    return texts[:most], sounds[:most]


def bits_of_texts(codec: Codec, texts: Sequence[str], sounds: Sequence[Wave]) -> dict[str, float]:
    """Bits a code without text, with the text, and with that of another sentence that is about as long."""
    others = of_others(texts)
    untold = told = misled = 0.0
    codes = 0
    for sound, text, other in tqdm(list(zip(sounds, texts, others, strict=True)), "scoring", disable=None):
        score = codec.score_text(sound, codec.sample_rate, text)
        untold, told, codes = untold + score.untold, told + score.told, codes + score.tokens
        misled += codec.score_text(sound, codec.sample_rate, other).told
    return {"untold": untold / codes, "told": told / codes, "misled": misled / codes}


def of_others(texts: Sequence[str]) -> list[str]:
    """For each text the next longer one that is another, and for the longest the longest other."""
    unlike = sorted(set(texts), key=lambda text: (len(text), text))
    following = dict(zip(unlike, [*unlike[1:], *unlike[-2:-1]], strict=False))
    return [following.get(text, text) for text in texts]


def say(codec: Codec, texts: Sequence[str], how: Sampling) -> list[Wave]:
    """Each text in another of the voices that the prior knows, drawn by chance."""
    voices = np.random.default_rng(0).permutation(codec.prior.fields["speaker"])
    found = []
    for number, text in enumerate(tqdm(texts, "saying", disable=None)):
        found += codec.say([text], condition=f"speaker={voices[number % len(voices)]}", sampling=how)
    return found


def coded(codec: Codec, sound: Wave) -> Wave:
    """A sound as so many codebooks bring it back as the prior knows."""
    return codec.decode(codec.encode(sound, codec.sample_rate, n_codebooks=codec.prior.n_codebooks))[0]


def heard_in(sounds: Sequence[Wave], texts: Sequence[str]) -> dict[str, float]:
    """The share of the texts' words that a recogniser hears in sounds at 16 kHz, in their order.

    And as many as it would by chance: the share of another text's words.
    """
    heard = [words(sound) for sound in tqdm(sounds, "hearing", disable=None)]
    return {"words": share_of(texts, heard), "by chance": share_of(of_others(texts), heard)}


def share_of(texts: Sequence[str], heard: Sequence[Sequence[str]]) -> float:
    """Words that are in both, in one order, as a share of the texts' words."""
    wanted = [text.split() for text in texts]
    return sum(map(in_common, wanted, heard)) / sum(map(len, wanted))


def in_common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words of two texts match, in their order (Ratcliff and Metzener's matching blocks)."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks)


if __name__ == "__main__":
    raise SystemExit(main())
