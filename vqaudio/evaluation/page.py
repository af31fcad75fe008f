"""A page to listen to, in one HTML file that needs no server: desks (:mod:`vqaudio.evaluation.desk`) of sounds."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import soundfile

from vqaudio.codec.codec import Codec
from vqaudio.codec.opened import StoredSound, open_vq
from vqaudio.errors import FileError
from vqaudio.evaluation.desk import script, style
from vqaudio.evaluation.desk.data import (
    ORIGINAL,
    SCORES,
    Desk,
    Take,
    key_of,
    mel_levels,
    picture,
    stored_streams,
    tokens_picture,
)
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Wave
from vqaudio.evaluation.options import Prepared
from vqaudio.evaluation.report import cell, summary
from vqaudio.evaluation.scoring import ClipResult, evaluate
from vqaudio.evaluation.systems import OwnCodec
from vqaudio.evaluation.writing import render, write_text

TEMPLATE = Path(__file__).with_name("page.html.jinja")
MARK = '<meta name="generator" content="vqaudio listen">'  # by which an earlier page is known


@dataclass
class Section:
    """One part of a page; ``text`` stands below its title."""

    title: str = ""
    text: str = ""
    desks: list[dict[str, Any]] = field(default_factory=list)


class Page:
    """Sections with desks, gathered until :meth:`write`; ``text`` stands at its top.

    Raises:
        FileError: there is something else than an earlier page at ``path``, or its name does not end in ``.html``.
    """

    def __init__(self, path: Path, text: str):
        if path.suffix.lower() != ".html":
            raise FileError(f"{path}: expected a name that ends in .html, for the page")
        if path.exists() and not _is_page(path):
            raise FileError(f"{path}: is there already and is no earlier page; name another file")
        self.path, self.text = path, text
        self.sections: list[Section] = []

    def section(self, title: str = "", text: str = "") -> None:
        """Begin a section."""
        self.sections.append(Section(title, text))

    def add(self, desk: Desk) -> None:
        """A desk below the others of its section."""
        self.sections[-1].desks.append(desk.as_data())

    def write(self, title: str, header: Sequence[str] = (), rows: Sequence[Sequence[str]] = ()) -> None:
        """Write the page, with a table above the sections where there is one.

        Raises:
            FileError: it cannot be written.
        """
        text = render(
            TEMPLATE,
            mark=MARK,
            title=title,
            text=self.text,
            sections=self.sections,
            header=header,
            rows=rows,
            style=style(),
            script=script(),
        )
        write_text(self.path, text)


def inline(take: Take, wave: Wave, *, loudest: float, tokens: dict[str, Any] | None = None) -> Take:
    """A take with its sound ``(samples,)`` at 16 kHz and its pictures within the page itself."""
    file = io.BytesIO()
    soundfile.write(file, wave, SAMPLE_RATE, "PCM_16", format="FLAC")
    shown = picture(wave, loudest=loudest, tokens=tokens)
    return replace(
        take,
        sound=address(file.getvalue(), "audio/flac"),
        picture=address(shown.encode(), "application/json"),
    )


def address(data: bytes, kind: str) -> str:
    """Bytes of a media type as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _is_page(path: Path) -> bool:
    return path.is_file() and MARK in path.read_text(encoding="utf-8", errors="replace")[:2000]


# -------------------------------------------------------------------------------------------------- clips and systems


class Clips:
    """Gathers clips as they are evaluated, a desk for each."""

    def __init__(self, page: Page, codec: Codec):
        self.page, self.codec = page, codec
        self._desk: Desk | None = None
        self._path: Path | None = None
        self._loudest = 0.0

    def add(self, result: ClipResult) -> None:
        """One clip through one system; those of a clip come one after the other."""
        score = result.score
        if result.path != self._path or self._desk is None:
            self.finish()
            self._path = result.path
            self._loudest = float(mel_levels(result.clip).max())
            original = Take(ORIGINAL, "Original", "original", "", note="16-bit WAV", bytes=44 + 2 * len(result.clip))
            self._desk = Desk(
                id=score.clip,
                title=f"{score.clip}, {score.seconds:.1f} s",
                takes=(inline(original, result.clip, loudest=self._loudest),),
                selected=ORIGINAL,
                reference=ORIGINAL,
            )
        self._desk = replace(self._desk, takes=(*self._desk.takes, self._take(result)))

    def _take(self, result: ClipResult) -> Take:
        score, system, data = result.score, result.system, result.coded.data
        scores = ((METRICS[name].title, cell(score.metrics[name], METRICS[name])) for name in SCORES)
        own = isinstance(system, OwnCodec)
        take = Take(
            key=key_of(system),
            name=f"{score.kbps:.1f} kb/s" if own else system.name,
            group="own" if own else "peer",
            sound="",
            note=f"{score.kbps:.2f} kb/s, {system.name}",
            bytes=score.n_bytes,
            facts=(("rate", f"{score.kbps:.2f} kb/s"), *scores),
        )
        if data is None or not own:
            return inline(take, result.coded.decoded, loudest=self._loudest)
        with open_vq(io.BytesIO(data)) as stored:
            assert isinstance(stored, StoredSound)
            tokens = tokens_picture(self.codec, stored_streams(stored), margin=stored.header.margin)
        take = replace(take, download=address(data, "application/octet-stream"), file=f"{Path(score.clip).stem}.vq")
        return inline(take, result.coded.decoded, loudest=self._loudest, tokens=tokens)

    def finish(self) -> None:
        """Put the last clip's desk on the page."""
        if self._desk is not None:
            self.page.add(self._desk)
            self._desk = None


def write_page(page: Page, prepared: Prepared, *, progress: bool = True) -> None:
    """Run every clip through every system and write the page.

    Raises:
        VqaudioError: a clip cannot be read, a system cannot run, or a package is missing.
    """
    page.section()
    clips = Clips(page, prepared.codec)
    result = evaluate(prepared.selection, prepared.systems, progress=progress, keep=clips.add)
    clips.finish()
    page.write(f"{prepared.codec.name}: reconstructions", *summary(result))
