"""Voices with faces: named cards to choose a speaker by, each with its pitch, its pace and two seconds to hear.

What is known of speakers stands in ``voices.json``; ``python -m demo.voices FOLDER`` measures it anew on the recordings
of a folder with a manifest.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from demo import assets, models, outputs, work
from demo.desks import address
from vqaudio.audio.recordings import list_recordings
from vqaudio.audio.resampling import read_mono
from vqaudio.errors import ModelError
from vqaudio.evaluation import require
from vqaudio.prior.sampling import Sampling

KNOWN = Path(__file__).with_name("voices.json")
MOST = 12
"""Cards at once; all other voices are in the list behind them."""
PREVIEW_SECONDS, PREVIEW_TEXT, PREVIEW_SEED = 2.0, "three one four", 3
CORPORA = {
    "librispeech": "read for LibriVox, was not asked about this",
    "ljspeech": "read for LibriVox, was not asked about this",
    "vctk": "recorded for a speech corpus",
    "digits": "gave digits to an open corpus",
}
"""Where voices come from, and what their owners agreed to."""
PYIN_RANGE = (60.0, 400.0)  # Hz
MEASURED_SECONDS = 30.0
"""So much of a speaker is enough."""
RATE, HOP = 16000, 256
HEARD_DB, DIP_DB = 25.0, 2.0
"""What is so far below the loudest places is a pause; between two syllables the level falls by so much."""
NEAR = 7
"""Frames around a peak, of which one is voiced."""


@dataclass(frozen=True)
class Voice:
    """What is known of a speaker.

    Attributes:
        title: a name to be called by.
        corpus: where the recordings come from, one of :data:`CORPORA`.
        pitch: the median of the fundamental frequency, Hz.
        pace: syllables a second, pauses left out: voiced peaks of the level (de Jong & Wempe, "Praat script to detect
            syllable nuclei and measure speech rate automatically", 2009).
    """

    title: str
    corpus: str
    pitch: float
    pace: float


@cache
def known() -> dict[str, Voice]:
    """Those whose voices have been measured, by speaker."""
    found = json.loads(KNOWN.read_text(encoding="utf-8"))
    return {speaker: Voice(**facts) for speaker, facts in found.items()}


def faces(model: str | None, speakers: Sequence[str], *, elem_id: str) -> gr.HTML:
    """Cards of some speakers; they trigger ``picked`` with the ``speaker`` of the card that is chosen."""
    return gr.HTML(
        cards(model, speakers, ""),
        label="Voices",
        html_template='<div class="place"></div>',
        js_on_load=assets.mount("vqaudioVoices", "picked"),
        server_functions=[preview],
        elem_id=elem_id,
        apply_default_css=False,
    )


def cards(model: str | None, speakers: Sequence[str], chosen: str) -> dict[str, Any]:
    """The value of :func:`faces`: a card for each of the measured speakers, or for the first few."""
    offered = [speaker for speaker in speakers if speaker in known()] or list(speakers)
    return {"model": model, "chosen": chosen, "cards": [_card(speaker) for speaker in offered[:MOST]]}


def _card(speaker: str) -> dict[str, Any]:
    voice = known().get(speaker)
    if voice is None:
        return {"speaker": speaker, "title": speaker, "pitch": None, "pace": None, "note": ""}
    return {"speaker": speaker, **asdict(voice), "note": CORPORA.get(voice.corpus, voice.corpus)}


@work.answers
def preview(asked: dict[str, Any]) -> str:
    """Two seconds in the voice of the ``speaker``, or some digits: the address of a file.

    They are sampled by the prior that knows this speaker, of the ``model`` or else of another one.
    """
    return address(Path(_sampled(str(asked["speaker"]), asked["model"])))


@cache
def _sampled(speaker: str, model: str | None) -> str:
    """The file, which is kept as long as this process: outside the folder of results, which go after an hour."""
    names = [name for name in (model, *models.with_prior()) if name in models.with_prior()]
    chosen = next((name for name in names if speaker in models.speakers_of_prior(name)), None)
    if chosen is None:
        raise ModelError(f"{speaker}: no model here can say anything in this voice by itself")
    codec = models.codec(chosen)
    how = Sampling(temperature=0.8, seed=PREVIEW_SEED)
    if codec.prior.alphabet is None:
        frames = round(PREVIEW_SECONDS * codec.frame_rate)
        (wav,) = codec.sample(frames, condition=f"speaker={speaker}", sampling=how)
    else:
        (wav,) = codec.say([PREVIEW_TEXT], condition=f"speaker={speaker}", sampling=how)
    path = outputs.kept_folder() / f"{chosen.replace('/', '-')}-{speaker}.wav"
    return outputs.write_wav(path, wav[None], sample_rate=codec.sample_rate)


# ------------------------------------------------------------------------------------------------------------- measures


def measured(folder: Path, corpus: str, speaker: str, title: str) -> Voice:
    """A speaker's pitch (pYIN; Mauch & Dixon, 2014) and pace, over the training recordings of a folder."""
    librosa, signal = require("librosa"), require("scipy.signal")
    pitches, syllables, seconds, low, high = list[float](), 0, 0.0, *PYIN_RANGE
    for item in list_recordings(folder):
        if item.speaker != speaker or item.corpus != corpus or item.split != "train" or seconds > MEASURED_SECONDS:
            continue
        wave = read_mono(item.path, RATE)
        found, voiced, _ = librosa.pyin(wave, fmin=low, fmax=high, sr=RATE, hop_length=HOP)
        pitches += found[voiced].tolist()
        level = librosa.amplitude_to_db(
            librosa.feature.rms(y=wave, frame_length=4 * HOP, hop_length=HOP)[0], top_db=None
        )
        heard = level > np.quantile(level, 0.99) - HEARD_DB
        peaks, _ = signal.find_peaks(level, prominence=DIP_DB)
        near = np.convolve(voiced, np.ones(NEAR), "same") > 0
        syllables += int((near & heard[: len(near)])[peaks].sum())
        seconds += float(heard.sum()) * HOP / RATE
    return Voice(title, corpus, round(float(np.median(pitches))), round(syllables / max(seconds, 1e-3), 1))


if __name__ == "__main__":
    place = Path(sys.argv[1])
    measures = {name: measured(place, voice.corpus, name, voice.title) for name, voice in known().items()}
    KNOWN.write_text(json.dumps({name: asdict(voice) for name, voice in measures.items()}, indent=1) + "\n")
