"""Lists the sentences of speechocean762 with when each letter of them is said.

    python -m recipes.sentences.prepare FOLDER OUT [--limit N]

FOLDER has manifest.csv and transcripts.csv (path, text). OUT/manifest.csv names its recordings, with the columns text,
in small letters, and starts. Sentences with a word whose sound is not known, and recordings in which the words are not
found, have neither. The corpus' test split stays; every twenty-fifth of the other speakers is for validation.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from recipes.sentences.align import Aligner
from vqaudio.audio.recordings import MANIFEST, Recording, list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.metrics import SAMPLE_RATE
from vqaudio.evaluation.writing import write_text

TRANSCRIPTS = "transcripts.csv"
COLUMNS = ("path", "corpus", "split", "speaker", "text", "starts", "seconds")
VALID_EVERY = 25


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="prepare.py", description="List sentences with when their letters are said.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, metavar="N", help="the first so many of each split (default: all)")
    options = parser.parse_args(argv)
    texts = read_transcripts(options.folder / TRANSCRIPTS)
    listed = with_splits(item for item in list_recordings(options.folder) if item.path in texts)
    if options.limit is not None:
        splits = [[item for item in listed if item.split == split] for split in ("train", "valid", "test")]
        listed = [item for some in splits for item in some[: options.limit]]
    if not listed:
        raise VqaudioError(f"{options.folder}: its manifest names none of the recordings in {TRANSCRIPTS}")
    aligner, found = Aligner(), 0
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for item in tqdm(listed, "aligning", disable=None):
        sound, text = read_mono(item.path, SAMPLE_RATE), " ".join(texts[item.path].lower().split())
        times = aligner.letters(sound, text)
        found += times is not None
        said = (text, " ".join(f"{time:.3f}" for time in times)) if times else ("", "")
        seconds = f"{len(sound) / SAMPLE_RATE:.3f}"
        rows.writerow((item.path.resolve(), item.corpus, item.split, item.speaker, *said, seconds))
    options.out.mkdir(parents=True, exist_ok=True)
    write_text(options.out / MANIFEST, table.getvalue())
    print(f"{found} of {len(listed)} recordings with their text in {options.out / MANIFEST}")
    return 0


def read_transcripts(path: Path) -> dict[Path, str]:
    """What is said in each recording.

    Raises:
        VqaudioError: there is no such file.
    """
    if not path.is_file():
        raise VqaudioError(f"{path}: no such file; expected one with the columns path and text")
    with path.open(newline="", encoding="utf-8") as file:
        return {path.parent / row["path"]: row["text"] for row in csv.DictReader(file)}


def with_splits(recordings: Iterable[Recording]) -> list[Recording]:
    """The same, with some speakers kept for validation."""
    listed = list(recordings)
    speakers = sorted({item.speaker for item in listed if item.split == "train"})
    valid = set(speakers[VALID_EVERY - 1 :: VALID_EVERY])
    return [
        Recording(item.path, item.corpus, "valid" if item.speaker in valid else item.split, item.speaker)
        for item in listed
    ]


if __name__ == "__main__":
    raise SystemExit(main())
