"""Lists the Free Spoken Digit Dataset as a manifest: who says which digit, and which takes are for validation.

    python -m recipes.digits.prepare FOLDER OUT [--takes 0 5 6] [--speech SPEECH]

FOLDER holds files named DIGIT_SPEAKER_TAKE.wav (or .flac), in folders or not, as github.com/Jakobovski/free-spoken-
digit-dataset has them. OUT/manifest.csv names them. Takes 0 to 4 of every speaker and digit are for validation, as that
dataset's authors have it. Six speakers are few to learn a codec from: recordings of SPEECH, another folder with a
manifest, are listed beside them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from recipes.digits.strings import WORDS
from vqaudio.audio.recordings import MANIFEST, Recording, list_recordings, manifest_of
from vqaudio.cli import command
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.writing import write_text

NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.(wav|flac)")
COLUMNS = ("path", "corpus", "speaker", "label", "split", "text", "starts")
OTHERS = ("words", "commands", "librispeech", "speechocean762")
"""Corpora from which the codec learns too, where they are there."""


@dataclass(frozen=True)
class Take(Recording):
    """A digit, and in ``text`` its word, which ``starts`` with the recording."""

    text: str = ""
    starts: str = ""


def recordings(folder: Path, takes: Collection[int] | None = None) -> list[Recording]:
    """The dataset, or some takes of every digit by every speaker, in the order of its paths.

    Raises:
        VqaudioError: no recordings in the folder.
    """
    found: list[Recording] = []
    for path in sorted(folder.rglob("*")):
        match = NAME.fullmatch(path.name)
        if match and (takes is None or int(match["take"]) in takes):
            split = "valid" if int(match["take"]) < 5 else "train"
            word = WORDS[int(match["digit"])]
            found.append(Take(path.resolve(), "digits", split, match["speaker"], match["digit"], text=word, starts="0"))
    if not found:
        raise VqaudioError(f"{folder}: holds no recordings named like 7_jackson_32.wav; name the dataset's folder")
    return found


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="prepare.py", description="List the Free Spoken Digit Dataset as a manifest.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--takes", type=int, nargs="+", metavar="N", help="list these alone (default: all)")
    parser.add_argument(
        "--speech", type=Path, metavar="FOLDER", help=f"list the corpora {', '.join(OTHERS)} of this folder as well"
    )
    options = parser.parse_args(argv)
    listed = recordings(options.folder, options.takes)
    digits, speakers = len(listed), len({item.speaker for item in listed})
    if options.speech is not None:
        listed += [item for item in list_recordings(options.speech) if item.corpus in OTHERS and item.split != "test"]
    options.out.mkdir(parents=True, exist_ok=True)
    manifest = options.out / MANIFEST
    write_text(manifest, manifest_of(listed, options.out, columns=COLUMNS))
    others = f", and {len(listed) - digits} of other speech," if len(listed) > digits else ""
    print(f"{digits} recordings of {speakers} speakers{others} in {manifest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
