"""VCTK on disk: finds release 0.92 or 0.80 in a folder, or downloads 0.92 where that is asked for.

    python -m recipes.vctk.corpus ROOT [--download]

Source: Yamagishi, Veaux and MacDonald, "CSTR VCTK Corpus", version 0.92, University of Edinburgh, 2019,
doi:10.7488/ds/2645. The archive's size and SHA-256 are those that TensorFlow Datasets and torchaudio check.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from vqaudio.cli import command
from vqaudio.errors import VqaudioError

URL = "https://datashare.is.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip"
SIZE = 11_747_302_977  # bytes
SHA256 = "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c"
ARCHIVE = "VCTK-Corpus-0.92.zip"
UNPACKED = "VCTK-Corpus-0.92"
HOW_TO_DOWNLOAD = "bash recipes/vctk/run.sh --download fetches release 0.92 (11.7 GB)"


@dataclass(frozen=True)
class Release:
    """One release: where its recordings lie, what they are called, how many speak, under which licence."""

    version: str
    folder: str
    name: re.Pattern[str]
    example: str
    speakers: int
    licence: str


RELEASES = (
    Release(
        "0.92",
        "wav48_silence_trimmed",
        re.compile(r"(?P<speaker>[ps]\d+)_(?P<number>\d+)_mic1\.flac"),  # the microphone of release 0.80
        "wav48_silence_trimmed/p225/p225_001_mic1.flac",
        110,
        "CC BY 4.0",
    ),
    Release(
        "0.80",
        "wav48",
        re.compile(r"(?P<speaker>[ps]\d+)_(?P<number>\d+)\.wav"),
        "wav48/p225/p225_001.wav",
        109,
        "ODC-By 1.0",
    ),
)


@dataclass(frozen=True)
class Utterance:
    """One recording: who reads which sentence. ``text`` is empty where the release has no transcript of it."""

    path: Path
    speaker: str
    number: str
    text: str

    @property
    def name(self) -> str:
        """As in ``p225_001``."""
        return f"{self.speaker}_{self.number}"


@dataclass(frozen=True)
class Corpus:
    """A release, or a part of one, as it was found."""

    root: Path
    release: Release
    utterances: tuple[Utterance, ...]

    @property
    def speakers(self) -> list[str]:
        """Names of those who read."""
        return sorted({utterance.speaker for utterance in self.utterances})


# ------------------------------------------------------------------------------------------------------------- found


def find(root: Path) -> Corpus:
    """The release in ``root``, or in a folder right below it.

    Raises:
        VqaudioError: no such folder, or no recordings of either release in it.
    """
    if not root.is_dir():
        raise VqaudioError(f"{root}: no such folder; set VCTK_ROOT to the folder of VCTK, or {HOW_TO_DOWNLOAD}")
    for folder in (root, *sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")):
        for release in RELEASES:
            if found := _utterances(folder, release):
                return Corpus(folder, release, tuple(found))
    examples = " nor ".join(f"{release.example} (release {release.version})" for release in RELEASES)
    raise VqaudioError(
        f"{root}: holds neither {examples} nor the like; set VCTK_ROOT to the folder of VCTK, or {HOW_TO_DOWNLOAD}"
    )


def _utterances(folder: Path, release: Release) -> list[Utterance]:
    found = []
    for path in sorted((folder / release.folder).glob("*/*")):
        if match := release.name.fullmatch(path.name):
            speaker, number = match["speaker"], match["number"]
            found.append(Utterance(path, speaker, number, _text(folder / "txt" / speaker / f"{speaker}_{number}.txt")))
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""


def described(corpus: Corpus) -> str:
    """One line: which release, how much of it, under which licence."""
    release, without = corpus.release, sum(not utterance.text for utterance in corpus.utterances)
    return (
        f"{corpus.root}: VCTK {release.version}, {len(corpus.speakers)} of {release.speakers} speakers, "
        f"{len(corpus.utterances)} recordings, {without} of them without transcript; licence {release.licence}"
    )


# -------------------------------------------------------------------------------------------------------- downloaded


def download(root: Path) -> None:
    """Fetch the archive of release 0.92 into ``root``, check it, and unpack what recipes need of it.

    An archive that is there, whole or in part, is gone on with.

    Raises:
        VqaudioError: no room, no curl, a broken connection, or an archive that is not what was published.
    """
    root.mkdir(parents=True, exist_ok=True)
    archive = root / ARCHIVE
    here = archive.stat().st_size if archive.is_file() else 0
    if here < SIZE:
        _refuse_full(root, SIZE - here)
        _fetch(archive)
    print(f"checking {archive}", flush=True)
    _verify(archive)
    _unpack(archive, root / UNPACKED)
    print(f"unpacked into {root / UNPACKED}; {archive} is not needed any more")


def _refuse_full(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise VqaudioError(
            f"{folder}: has {free / 1e9:.1f} GB free and {needed / 1e9:.1f} GB are needed; free some space, or set "
            "VCTK_ROOT to a folder on another disk"
        )


def _fetch(archive: Path) -> None:
    if shutil.which("curl") is None:
        raise VqaudioError(f"downloading needs curl: install it, or put {URL} into {archive.parent} by other means")
    status = subprocess.run(
        ["curl", "--fail", "--location", "--retry", "8", "--continue-at", "-", "--output", str(archive), URL],
        check=False,
    ).returncode
    if status:
        raise VqaudioError(f"{URL}: curl stopped with status {status}; call the same again to go on where it stopped")


def _verify(archive: Path) -> None:
    """Size first, because it tells a download that is not over from a damaged one."""
    size = archive.stat().st_size
    if size != SIZE:
        raise VqaudioError(f"{archive}: has {size} bytes, expected {SIZE}; remove it and download it again")
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise VqaudioError(f"{archive}: its SHA-256 is {digest}, expected {SHA256}; remove it and download it again")


def _unpack(archive: Path, target: Path) -> None:
    """Recordings of one microphone, transcripts and licence; ``target`` appears only when all of it is there."""
    with zipfile.ZipFile(archive) as file:
        wanted = [item for item in file.infolist() if not item.is_dir() and "_mic2." not in item.filename]
        _refuse_full(archive.parent, sum(item.file_size for item in wanted))
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=archive.parent) as folder:
            for item in wanted:
                file.extract(item, folder)
            Path(folder).rename(target)
    target.chmod(0o755)


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="corpus.py", description="Find VCTK, or download it.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--download", action="store_true", help="fetch release 0.92 where ROOT does not hold VCTK")
    options = parser.parse_args(argv)
    try:
        corpus = find(options.root)
    except VqaudioError:
        if not options.download:
            raise
        about = "VCTK 0.92 (Yamagishi, Veaux and MacDonald, 2019), licence CC BY 4.0"
        print(f"{about}: {SIZE / 1e9:.1f} GB from {URL} into {options.root}", flush=True)
        download(options.root)
        corpus = find(options.root)
    print(described(corpus))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
