"""Recordings to try: held-out ones where there are any, else strings of digits that a model says, and sung vowels."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from pathlib import Path

from demo import models, outputs
from vqaudio.audio.recordings import MANIFEST, has_manifest, read_manifest
from vqaudio.audio.source import Window
from vqaudio.prior.sampling import Sampling

ROOT = Path(__file__).parents[1]
VOWELS = "Sung vowels"
HELD_OUT = 4
"""How many held-out recordings are offered, where there are any."""
CORPORA = {"librispeech": "LibriSpeech", "vctk": "VCTK"}
"""Where they are taken from, and how that is written."""
SECONDS = (3.0, 9.0)
DIGITS, TEXT, SEED = "digits", "three one four one five", 5


@cache
def names() -> tuple[str, ...]:
    """What is offered, the first of which a visitor finds open."""
    return (*(held_out() or spoken()), VOWELS)


def make(name: str) -> Path:
    """A file of one of :func:`names`, in a folder of its own."""
    folder = outputs.new_folder()
    if name in spoken():
        wav, rate = say(name)
        path = folder / f"{name.lower().replace(', ', '-').replace(' ', '-')}.wav"
        outputs.write_wav(path, wav, sample_rate=rate)
        return path
    source = held_out().get(name) or ROOT / "examples" / "vowels.wav"
    path = folder / source.name
    path.write_bytes(source.read_bytes())
    return path


def data_folder() -> Path:
    """Where recordings and tables to try are looked for: ``$VQAUDIO_DATA``, else ``../shared/data``."""
    return Path(os.environ.get("VQAUDIO_DATA", ROOT.parent / "shared" / "data"))


@cache
def held_out() -> dict[str, Path]:
    """A few recordings of voices that no model learned from, by what to call them; none where there is no data."""
    folder = data_folder() / "speech"
    if not has_manifest(folder):
        return {}
    found: dict[str, Path] = {}
    for item in read_manifest(folder / MANIFEST):
        if item.split == "valid" and item.corpus in CORPORA and SECONDS[0] < (item.seconds or 0) < SECONDS[1]:
            found.setdefault(f"{CORPORA[item.corpus]}, speaker {item.speaker}", item.path)
    known = sorted(found)
    chosen = known[:: max(1, len(known) // HELD_OUT)][:HELD_OUT]
    return {name: found[name] for name in chosen if found[name].is_file()}


@cache
def spoken() -> dict[str, str]:
    """The speakers who say a string of digits, by what to call that; none where no model here does."""
    prior = models.prior(DIGITS) if DIGITS in models.names() else None
    if prior is None or prior.alphabet is None:
        return {}
    return {f"Digits, {speaker}": speaker for speaker in prior.fields["speaker"]}


@lru_cache(16)
def say(name: str) -> tuple[Window, int]:
    """A string of digits in the voice that a name of :func:`spoken` stands for: ``(1, samples)``, and its rate (Hz)."""
    codec = models.codec(DIGITS)
    (wav,) = codec.say([TEXT], condition=f"speaker={spoken()[name]}", sampling=Sampling(temperature=0.9, seed=SEED))
    return wav[None], codec.sample_rate
