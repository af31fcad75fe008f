"""Whether backends give the same codes and the same sound: over minutes of recordings, how many codes differ, and why.

``python benchmarks/backends.py FOLDER --minutes 60``. Where codes of a frame differ, the search for them is done again
in float64: two ways to go on that are equally far, within ``TIE`` of the nearer distance, excuse it. Codes after the
first that differs quantize another residual, and may differ as they like, so that frames are counted too.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import vqaudio
from vqaudio.audio.array_source import ArraySource
from vqaudio.audio.file_source import SUFFIXES
from vqaudio.audio.resampling import read_mono
from vqaudio.cli.program import command
from vqaudio.codec.blocks import block_features, sound_blocks
from vqaudio.codec.codec import Codec
from vqaudio.errors import VqaudioError
from vqaudio.files import files_below
from vqaudio.inference.quantizers.codebook import GROUP
from vqaudio.registry import DEFAULT_MODEL

TIE = 1e-5
LEAST_SECONDS = 2.0
"""Shorter recordings are left out."""

Wave = NDArray[np.float32]


@dataclass
class Found:
    """What was counted.

    Attributes:
        seconds: of sound. codes, frames: how many there are.
        differing_codes, differing_frames: between the backends.
        untied_frames: those among them without a tie.
        worst_db: of all recordings, the most energy that the difference of both decoded sounds has, over the sound's.
    """

    seconds: float = 0.0
    codes: int = 0
    frames: int = 0
    differing_codes: int = 0
    differing_frames: int = 0
    untied_frames: int = 0
    worst_db: float = -np.inf


@command
def main(argv: list[str] | None = None) -> int:
    """Count, and print what was found; returns the exit status."""
    parser = argparse.ArgumentParser(description="Compare the codes and the sound of both backends.")
    default = Path(os.environ.get("VQAUDIO_DATA", "../shared/data")) / "speech"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="recordings (default: %(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="with residual codebooks (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=5.0, help="of sound (default: %(default)g)")
    parser.add_argument("--codebooks", type=int, metavar="N", help="how many to use (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="chooses the recordings (default: %(default)s)")
    options = parser.parse_args(argv)
    codecs = [vqaudio.load(options.model, backend=backend) for backend in ("onnx", "torch")]
    if not codecs[0].networks.quantizer.has_code_costs:
        raise VqaudioError(f"{options.model}: has no residual codebooks, whose search could be done again")
    found = Found()
    for wave in recordings(options.folder, codecs[0].sample_rate, options.minutes * 60, options.seed):
        compare(codecs, wave, options.codebooks, found)
        print(json.dumps(asdict(found)), flush=True)
    return 1 if found.untied_frames else 0


def recordings(folder: Path, sample_rate: int, seconds: float, seed: int) -> Iterator[Wave]:
    """``(samples,)``, so many seconds in all, from files in random order."""
    paths = np.array(files_below(folder, SUFFIXES), dtype=object)
    left = seconds * sample_rate
    for path in np.random.default_rng(seed).permutation(paths):
        wave = read_mono(path, sample_rate)[: max(0, round(left))]
        if len(wave) >= LEAST_SECONDS * sample_rate:
            yield wave
            left -= len(wave)
        if left < LEAST_SECONDS * sample_rate:
            return


def compare(codecs: Sequence[Codec], wave: Wave, n_codebooks: int | None, found: Found) -> None:
    """Add what one recording ``(samples,)`` shows."""
    codec = codecs[0]
    both = [one.encode(wave, codec.sample_rate, n_codebooks=n_codebooks, with_margin=False) for one in codecs]
    one, other = (np.stack(codes.streams)[:, 0] for codes in both)
    frames = np.flatnonzero((one != other).any(0))
    found.seconds += len(wave) / codec.sample_rate
    found.codes, found.frames = found.codes + one.size, found.frames + one.shape[1]
    found.differing_codes += int((one != other).sum())
    found.differing_frames += len(frames)
    if len(frames):
        vectors = features(codec, wave)[frames].astype(np.float64)
        found.untied_frames += sum(margin(codec, vector, len(one)) > TIE for vector in vectors)
    sound, again = (each.decode(both[0])[0].astype(np.float64) for each in codecs)
    difference, energy = np.square(sound - again).sum(), np.square(sound).sum()
    found.worst_db = max(found.worst_db, float(10 * np.log10(max(difference, 1e-30) / max(energy, 1e-30))))


def features(codec: Codec, wave: Wave) -> Wave:
    """What codes are chosen for, as the codec's own blocks have it: ``(frames, D)``."""
    blocks = sound_blocks(codec.networks, ArraySource(wave, codec.sample_rate), block_frames=codec.chunk_frames())
    return np.concatenate([block_features(codec.networks, [block]).features[0, :, : block.kept].T for block in blocks])


def margin(codec: Codec, vector: NDArray[np.float64], n_codebooks: int) -> float:
    """How near the search for a frame's codes came to another choice, as a share of the distance that was chosen.

    At each codebook but the last as many sums are kept as come nearest, at most one of each group of candidates: the
    margin is between the last that is kept and the first that is not, or between both nearest of a group.
    """
    books = codec.networks.quantizer.additive_codebooks()[:n_codebooks]
    n_paths = max(1, codec.networks.config.bottleneck.model_dump()["search"] // n_codebooks)
    sums, least = np.zeros((1, len(vector))), np.inf
    for level, book in enumerate(books):
        every = (sums[:, None] + book).reshape(-1, len(vector))
        distances = np.linalg.norm(every - vector, axis=1)
        last = level + 1 == len(books) or n_paths == 1
        grouped = not last and len(distances) % GROUP == 0 and len(distances) >= n_paths * GROUP
        groups = distances.reshape(GROUP if grouped else 1, -1)
        order = np.argsort(groups.min(0), kind="stable")
        chosen = order[: 1 if last else n_paths]
        gaps = [groups.min(0)[order[len(chosen)]] - groups.min(0)[chosen[-1]]]
        if grouped:
            gaps += [two[1] - two[0] for two in np.sort(groups[:, chosen], axis=0)[:2].T]
        least = min(least, float(min(gaps) / groups.min(0)[chosen[-1]]))
        sums = every[groups[:, chosen].argmin(0) * groups.shape[1] + chosen]
    return least


if __name__ == "__main__":
    raise SystemExit(main())
