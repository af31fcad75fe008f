"""Puts a folder of recordings into shards small enough to be sent, each a fair sample of the whole.

    python -m recipes.speech16k.pack FOLDER OUT [--shard-mib 36 58]

OUT/0/shard.tgz, OUT/1/shard.tgz, ... hold Opus files at 16 kHz for training (those that are Opus already as they are,
others coded at 32 kb/s), a few validation recordings as WAV, and each a manifest of its own: part-0.csv, ...
"""

from __future__ import annotations

import argparse
import io
import random
import tarfile
from dataclasses import replace
from pathlib import Path

import soundfile
from tqdm import tqdm

from vqaudio.audio.recordings import Recording, list_recordings, manifest_of
from vqaudio.audio.resampling import read_mono

SAMPLE_RATE = 16000
OPUS_BITS = 32_000  # per second
HEADER = 70  # bytes of a recording's name and size, compressed
VALID = 12  # recordings: there they only tell that all is well
COLUMNS = ("path", "corpus", "speaker", "split")


def main() -> None:
    """Write the shards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--shard-mib", type=float, nargs="+", default=[36.0, 58.0], help="sizes, the last of all others (36 58)"
    )
    options = parser.parse_args()
    recordings = list_recordings(options.folder)
    random.Random(0).shuffle(recordings)
    valid = [item for item in recordings if item.split == "valid"][:VALID]  # first: each run needs it
    shard: list[tuple[Recording, str, bytes]] = []
    number = size = 0
    for item in tqdm([*valid, *(item for item in recordings if item.split == "train")], unit="file"):
        suffix, data = packed(item)
        if size + len(data) > options.shard_mib[min(number, len(options.shard_mib) - 1)] * 2**20 and shard:
            write(shard, options.out / str(number), number)
            shard, number, size = [], number + 1, 0
        shard.append((item, suffix, data))
        size += len(data) + HEADER
    if shard:
        write(shard, options.out / str(number), number)


def packed(item: Recording) -> tuple[str, bytes]:
    """The suffix and the bytes that a recording is sent as."""
    if item.path.suffix == ".opus":
        return ".opus", item.path.read_bytes()
    sound, file = read_mono(item.path, SAMPLE_RATE), io.BytesIO()
    if item.split == "valid":
        soundfile.write(file, sound, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        return ".wav", file.getvalue()
    level = 1.0 - (OPUS_BITS - 6000) / 250_000  # libsndfile: from 256 kb/s at 0 down to 6 kb/s at 1
    soundfile.write(file, sound, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
    return ".opus", file.getvalue()


def write(shard: list[tuple[Recording, str, bytes]], folder: Path, number: int) -> None:
    """One shard with its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    with tarfile.open(folder / "shard.tgz", "w:gz", compresslevel=1) as tar:
        for index, (item, suffix, data) in enumerate(shard):
            name = f"{item.corpus}/{number}-{index}{suffix}"
            listed.append(replace(item, path=Path(name)))
            add(tar, name, data)
        rows = manifest_of(listed, Path(), columns=COLUMNS).splitlines(keepends=True)
        add(tar, f"part-{number}.csv", "".join(rows if number == 0 else rows[1:]).encode())


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file from memory."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
