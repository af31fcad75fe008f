"""Listening desks on the page: their element, and what they show of a sound that went through codecs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo import assets, models, outputs, work
from demo.recordings import Recording
from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.evaluation.desk.data import ORIGINAL, Desk, Take, key_of, mel_levels, picture, tokens_picture
from vqaudio.evaluation.metrics import SAMPLE_RATE
from vqaudio.evaluation.opus import Opus
from vqaudio.evaluation.peers import Codec2
from vqaudio.evaluation.systems import System

HELD_FRAMES, FADE_SECONDS = 16, 0.02
PEERS: tuple[Callable[[], System], ...] = (lambda: Opus(6), lambda: Opus(12), lambda: Codec2("1200"))


def listening(label: str, empty: str, *, elem_id: str, asks: Sequence[str] = ()) -> gr.HTML:
    """A desk; its value is what :meth:`vqaudio.evaluation.desk.data.Desk.as_data` gives, or that of :func:`nothing`.

    ``asks``: events that visitors can trigger: ``stop``, where what is still being made shall not be made, and
    ``measure``, where scores of the take in the event's ``take`` are wanted.
    """
    return gr.HTML(
        nothing(empty),
        label=label,
        html_template='<section class="place"></section>',
        js_on_load=assets.mount("vqaudioListening", *asks),
        server_functions=[token],
        elem_id=elem_id,
        apply_default_css=False,
    )


def nothing(sentence: str) -> dict[str, Any]:
    """The value of a desk without takes."""
    return {"id": "", "takes": [], "waiting": [], "empty": sentence}


@work.answers
def token(asked: dict[str, Any]) -> str:
    """The sound of one frame, over and over: the address of a file.

    ``asked`` has the frame's ``codes``, of the first few codebooks, and their ``model``.
    """
    codes, model = [int(code) for code in asked["codes"]], str(asked["model"])
    codec = models.codec(model)
    streams = [np.full((1, HELD_FRAMES), code, np.int32) for code in codes]
    wav = codec.decode(Codes(streams, codec.sample_rate, HELD_FRAMES * codec.hop_length))
    edge = np.hanning(2 * round(FADE_SECONDS * codec.sample_rate)).astype(np.float32)
    wav[:, : len(edge) // 2] *= edge[: len(edge) // 2]
    wav[:, -(len(edge) // 2) :] *= edge[len(edge) // 2 :]
    path = outputs.new_folder() / "token.wav"
    return address(Path(outputs.write_wav(path, wav, sample_rate=codec.sample_rate)))


class Maker:
    """Makes the takes of a sound as files in a folder of its own; pictures are on the original's scale."""

    def __init__(self, sound: Recording):
        self.sound, self.folder = sound, outputs.new_folder()
        self.wave = sound.mono(SAMPLE_RATE)
        self.loudest = float(mel_levels(self.wave).max())

    def original(self, note: str = "16-bit WAV") -> Take:
        """The sound as it came."""
        take = Take(ORIGINAL, "Original", "original", "", note=note, bytes=self.sound.wav_bytes)
        return self.finished(take, self.sound)

    def coded(self, codec: Codec, n_codebooks: int) -> Take:
        """The sound through a codec of ours, with so many codebooks."""
        wav, rate = self.sound.wav, self.sound.sample_rate
        codes = codec.encode(wav, rate, n_codebooks=n_codebooks)  # those in the file
        data = codec.compress(wav, rate, n_codebooks=n_codebooks)
        kbps = 8 * len(data) / self.sound.seconds / 1000
        packed = self.folder / f"{Path(self.sound.name).stem or 'recording'}-{n_codebooks}-of-{codec.n_codebooks}.vq"
        packed.write_bytes(data)
        take = Take(
            key=rate_key(n_codebooks),
            name=f"{kbps:.1f} kb/s",
            group="own",
            sound="",
            note=f"{kbps:.2f} kb/s, {books(n_codebooks)}",
            bytes=len(data),
            download=address(packed),
            file=packed.name,
            facts=(("tokens", f"{sum(part.size for part in codes.streams):,}"), ("codec", codec.name)),
        )
        decoded = replace(self.sound, wav=codec.decode(codes))
        return self.finished(take, decoded, tokens=tokens_picture(codec, codes.streams, margin=codes.margin))

    def other(self, system: System) -> Take:
        """The sound through another codec, as mono at 16 kHz."""
        coded = system.run(self.wave)
        kbps = 8 * coded.n_bytes / self.sound.seconds / 1000
        take = Take(key_of(system), system.name, "peer", "", note=f"{kbps:.2f} kb/s, mono", bytes=coded.n_bytes)
        return self.finished(take, Recording(system.name, coded.decoded[None], SAMPLE_RATE))

    def finished(self, take: Take, sound: Recording, *, tokens: dict[str, Any] | None = None) -> Take:
        """A take with its sound and its pictures as files."""
        wav, seen = self.folder / f"{take.key}.wav", self.folder / f"{take.key}.json"
        outputs.write_wav(wav, sound.wav, sample_rate=sound.sample_rate)
        seen.write_text(picture(sound.mono(SAMPLE_RATE), loudest=self.loudest, tokens=tokens), encoding="utf-8")
        return replace(take, sound=address(wav), picture=address(seen))


def rate_key(n_codebooks: int) -> str:
    """The key of the take with so many codebooks."""
    return f"codebooks-{n_codebooks}"


def books(count: int) -> str:
    """So many codebooks, in words."""
    return f"{count} codebook{'s' if count > 1 else ''}"


def rates(codec: Codec) -> list[int]:
    """Numbers of codebooks that a rail offers: up to five, evenly spread in bits."""
    spread = np.geomspace(codec.least_codebooks, codec.n_codebooks, 5)
    return sorted({math.ceil(number - 1e-6) for number in spread})


def peers() -> list[System]:
    """The codecs of others that are installed here."""
    return [system for make in PEERS if (system := make()) and type(system).missing() is None]


def address(path: Path) -> str:
    """A result's file, relative to the page."""
    return f"gradio_api/file={path}"


def path_of(take: Take) -> str:
    """The file of a take's sound."""
    return take.sound.partition("file=")[2]


def several(
    model: str,
    sounds: Sequence[tuple[str, str, NDArray[np.float32]]],
    sample_rate: int,
    *,
    tokens: Sequence[dict[str, Any]],
) -> Desk:
    """A desk of sounds that have no original.

    Args:
        model: whose tokens they have.
        sounds: for each its name, what is said of it, and its samples ``(samples,)``.
        sample_rate: of all of them, Hz.
        tokens: what :func:`vqaudio.evaluation.desk.data.tokens_picture` says of each.
    """
    every = [Recording(name, wav[None], sample_rate) for name, _, wav in sounds]
    loudest = max(every, key=lambda sound: float(np.abs(sound.wav).max(initial=0.0)))
    maker = Maker(loudest)
    takes = [
        maker.finished(Take(f"take-{number}", name, "own", "", note=note), sound, tokens=shown)
        for number, ((name, note, _), sound, shown) in enumerate(zip(sounds, every, tokens, strict=True), start=1)
    ]
    return Desk(id=maker.folder.name, title="", takes=tuple(takes), selected=takes[0].key, model=model)
