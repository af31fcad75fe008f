"""Corpora that tests make: sounds in a folder, all utterances that a source has, and a file that is never whole."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from tools import synthetic, wav_bytes

from vqaudio.corpora import open_corpus, storage
from vqaudio.corpora.utterance import Heard

RATE = 16000


def utterances(source: Path | str, size: int = 128, **choice: list[str]) -> list[Heard]:
    """All utterances, each with its sound or its sentence; parts are sent somewhere else first."""
    corpus = open_corpus(str(source), **choice)
    return [heard for part in corpus.parts(size) for heard in pickle.loads(pickle.dumps(part)).read(RATE)]


def make_sounds(folder: Path) -> Path:
    """Three recordings: a mono one of 0.5 s, one of two channels and 0.4 s, one at another rate of 0.3 s."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.wav").write_bytes(wav_bytes(synthetic(0.5, RATE), RATE))
    (folder / "deep" / "b.wav").write_bytes(wav_bytes(synthetic(0.4, RATE, 2), RATE))
    (folder / "deep" / "er" / "c.flac").write_bytes(wav_bytes(synthetic(0.3, 8000), 8000, "FLAC", "PCM_16"))
    return folder


def break_off_writing(path: str) -> None:
    """Begin to write a file anew, and be interrupted."""

    def interrupted() -> None:
        with storage.write_atomically(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
