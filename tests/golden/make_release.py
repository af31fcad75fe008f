"""Makes ``releases/VERSION/``: what a release writes in each entropy mode of sounds and by each way to code tables.

``python tests/golden/make_release.py`` with the release's vqaudio on PYTHONPATH, once for each release. Every later
version must read these files, so that none is ever made anew. ``prior`` is of the shipped speech model: a new decoder
of the same codes is another sound, so that its ``.npz`` is made anew then, from the newest file (``--again``).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

import vqaudio

HERE = Path(__file__).parent
RELEASES = HERE / "releases"
TABLE = RELEASES / "table.csv"
BOUNDED = RELEASES / "bounded.csv"
"""The table as it comes back from all releases so far, where values may be off by 0.1."""
EVERY = 97  # of the decoded samples, one in so many is kept
RATE, SECONDS = 22050, 2.5  # Hz; the tiny model's is 16000
TINY = ["--model", HERE / "tiny.safetensors"]
SOUNDS = {"none": [*TINY, "--entropy", "none"], "context": [*TINY, "--entropy", "context"]}
SPEECH = {
    "0.4.0": [],  # all codebooks, by the prior
    "0.5.0": ["--rdo", "0.4", "--condition", "speaker=p226"],  # frames that end early, under a condition
    "0.6.0": ["--kbps", "1.5"],
}
TABLES = {
    "bounded": ["--max-error", "0.1", "--model", "none"],
    "bounded-network": ["--max-error", "0.1"],
    "lossless": ["--lossless", "--model", "none"],
    "lossless-network": ["--lossless"],
}


def vq(*arguments: object) -> None:
    """Run a command of the release."""
    subprocess.run([sys.executable, "-m", "vqaudio", *map(str, arguments)], check=True)


def sound() -> NDArray[np.float32]:
    """Two channels of a gliding, swelling tone, ``(samples, channels)``; the second one a little later and lower."""
    time = np.arange(round(RATE * SECONDS)) / RATE
    phase = 2 * np.pi * (110 * time + 15 * np.sin(2 * time))
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * 0.2 * np.sin(1.5 * time) ** 2
    return np.stack([tone, 0.5 * np.roll(tone, RATE // 4)], axis=1).astype(np.float32)


def beats(n_rows: int, seed: int) -> NDArray[np.float64]:
    """Something like an electrocardiogram, with noise: what the shipped network knows better than counts do."""
    random, rows = np.random.default_rng(seed), np.arange(n_rows)
    values, at = random.normal(0, 0.03, n_rows), 100
    while at < n_rows + 200:
        height, width = (1.7, 9) if random.random() < 0.3 else (1.2, 5)
        for size, place, spread in ((height, 0, width), (-0.4 * height, 12, 6), (0.3, 90, 28), (0.12, -60, 14)):
            values += size * np.exp(-(((rows - at - place) / spread) ** 2))
        at += int(random.normal(250, 30))
    return values


def table() -> str:
    """Times, five columns of beats, integers with a gap and one far from the others, words."""
    columns = [beats(600, seed) for seed in range(6, 11)]
    lines = ["when,a,b,c,d,e,n,name"]
    for row in range(600):
        cell = "" if 40 < row < 50 else f"{row**2 % 7}" if row != 100 else "12345"
        when = f"2024-02-{1 + row // 96:02} {row // 4 % 24:02}:{row % 4 * 15:02}:00"
        values = ",".join(f"{column[row]:.1f}" for column in columns)
        lines.append(f"{when},{values},{cell},{'even' if row % 2 == 0 else 'odd'}")
    return "\n".join(lines) + "\n"


def keep_samples(file: Path, *options: object) -> None:
    """Write some of the samples that a ``.vq`` file decodes to beside it."""
    with tempfile.TemporaryDirectory() as place:
        wav = Path(place, "decoded.wav")
        vq("decompress", file, wav, "--subtype", "FLOAT", *options)
        samples = soundfile.read(wav, dtype="float32", always_2d=True)[0].T[:, ::EVERY]
    np.savez_compressed(file.with_suffix(".npz"), samples=samples)


def main() -> None:
    """Write all files of the version that is imported, or what the newest speech decodes to."""
    if "--again" in sys.argv:
        keep_samples(max(RELEASES.glob("*/prior.vq")))
        return
    folder = RELEASES / vqaudio.__version__
    folder.mkdir(parents=True, exist_ok=True)
    if not TABLE.exists():
        TABLE.write_text(table(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as place:
        wav = Path(place, "sound.wav")
        soundfile.write(wav, sound(), RATE, "FLOAT")
        for mode, options in SOUNDS.items():
            vq("compress", wav, folder / f"{mode}.vq", *options)
            keep_samples(folder / f"{mode}.vq", *TINY)
    speech = folder / "prior.vq"
    vq("compress", HERE.parents[1] / "examples" / "vowels.wav", speech, *SPEECH[vqaudio.__version__])
    keep_samples(speech)
    for way, options in TABLES.items():
        vq("compress", TABLE, folder / f"{way}.vq", *options)
    if not BOUNDED.exists():
        vq("decompress", folder / "bounded.vq", BOUNDED)
    size = {path.stem: path.stat().st_size for path in folder.glob("*.vq")}
    assert size["context"] < size["none"], "its codes are not coded"
    assert all(size[f"{way}-network"] < size[way] for way in ("bounded", "lossless")), "the network codes no column"


if __name__ == "__main__":
    main()
