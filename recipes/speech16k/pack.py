"""Puts a folder of recordings into shards small enough to be sent, each a fair sample of the whole.

    python recipes/speech16k/pack.py FOLDER OUT [--shard-mib 40]

OUT/0/shard.tar, OUT/1/shard.tar, ... hold Opus files at 16 kHz for training (those that are Opus already as they are,
others coded at 48 kb/s), validation recordings as FLAC, and each a manifest of its own: part-0.csv, part-1.csv, ...
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import tarfile
from pathlib import Path

import soundfile
from tqdm import tqdm

from vqaudio.resampling import read_mono
from vqaudio.training.recordings import Recording, list_recordings

SAMPLE_RATE = 16000
OPUS_BITS = 48_000  # per second
FIELDS = ("path", "corpus", "speaker", "split")


def main() -> None:
    """Write the shards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shard-mib", type=float, default=40.0, help="size of a shard (default: %(default)s)")
    options = parser.parse_args()
    recordings = [item for item in list_recordings(options.folder) if item.split in ("train", "valid")]
    random.Random(0).shuffle(recordings)
    recordings.sort(key=lambda item: item.split == "train")  # validation first: it is small, and each run needs it
    shard: list[tuple[Recording, str, bytes]] = []
    number = 0
    for item in tqdm(recordings, unit="file"):
        shard.append((item, *packed(item)))
        if sum(len(data) for _, _, data in shard) > options.shard_mib * 2**20:
            write(shard, options.out / str(number), number)
            shard, number = [], number + 1
    if shard:
        write(shard, options.out / str(number), number)


def packed(item: Recording) -> tuple[str, bytes]:
    """The suffix and the bytes that a recording is sent as."""
    if item.path.suffix == ".opus":
        return ".opus", item.path.read_bytes()
    sound, file = read_mono(item.path, SAMPLE_RATE), io.BytesIO()
    if item.split == "valid":
        soundfile.write(file, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        return ".flac", file.getvalue()
    level = 1.0 - (OPUS_BITS - 6000) / 250_000  # libsndfile: from 256 kb/s at 0 down to 6 kb/s at 1
    soundfile.write(file, sound, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
    return ".opus", file.getvalue()


def write(shard: list[tuple[Recording, str, bytes]], folder: Path, number: int) -> None:
    """One shard with its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for index, (item, suffix, data) in enumerate(shard):
            name = f"{item.corpus}/{number}-{index}{suffix}"
            table.writerow([name, item.corpus, item.speaker, item.split])
            add(tar, name, data)
        header = ",".join(FIELDS) + "\n" if number == 0 else ""
        add(tar, f"part-{number}.csv", (header + rows.getvalue()).encode())


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file from memory."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
