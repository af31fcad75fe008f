"""Folders that look like VCTK's releases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

SPEAKERS = ("p225", "p226", "p227", "p228")
RATE = 48000


def speech(seconds: float = 1.0, silence: float = 0.5) -> np.ndarray:
    """A tone between silences, at 48 kHz."""
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)
    return np.pad(tone, round(silence * RATE))


def release_092(root: Path, speakers=SPEAKERS, sentences: int = 8, texts: bool = True) -> Path:
    """A folder like release 0.92's; everyone reads the same sentences, each under another number."""
    for at, speaker in enumerate(speakers):
        for sentence in range(sentences):
            name = f"{speaker}_{1 + (sentence + at) % sentences:03}"
            path = root / "wav48_silence_trimmed" / speaker / f"{name}_mic1.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, speech(0.6 + 0.05 * sentence), RATE)
            path.with_name(f"{name}_mic2.flac").touch()
            if texts:
                text = root / "txt" / speaker / f"{name}.txt"
                text.parent.mkdir(parents=True, exist_ok=True)
                text.write_text(f"Sentence {sentence}{'.' * at}\n")
    (root / "speaker-info.txt").touch()
    return root


def release_080(root: Path) -> Path:
    for speaker in ("p225", "s5"):
        for number in ("001", "366"):
            path = root / "wav48" / speaker / f"{speaker}_{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (root / "wav48" / "p225" / "p225_002.txt").touch()
    return root
