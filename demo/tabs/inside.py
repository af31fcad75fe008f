"""What a model makes of the recording: its tokens and their bits over time, which codes it uses and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo import desks, facts, inputs, models, pictures, recordings, work
from demo.bar import Current
from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.desk.data import ORIGINAL, Desk, Take, tokens_picture

TITLE = "Look inside"
NAME = "inside"
EMPTY = "Bring a recording above, and see its tokens."
Shown = tuple[str, str, int] | None
"""Which recording, model and codebook is shown."""


def build(page: inputs.Page) -> None:
    """Lay out the tab."""
    with gr.Row():
        model = inputs.model(models.names())
        level = _levels(1, 2)
    figures = facts.tiles("Facts")
    desk = desks.listening("Tokens over time", EMPTY, elem_id="inside-desk")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            places = pictures.place("The codebook's embeddings")
        with gr.Column(min_width=280):
            usage = pictures.place("How often its codes were used")
    shown = gr.State(None)
    wanted = [page.opened, page.current, model, level, shown]
    results = [figures, desk, places, usage, shown]
    for changed in (page.current.change, page.opened.change, level.change):
        changed(look, wanted, results, show_progress="minimal", api_visibility="private", **work.QUEUE)
    for trigger in (page.opened.change, model.change):
        described = trigger(describe, [page.opened, model, level], level, queue=False, **inputs.QUIET)
        described.then(look, wanted, results, show_progress="minimal", api_visibility="private", **work.QUEUE)


def _levels(value: int, most: int) -> gr.Slider:
    return gr.Slider(1, max(2, most), min(value, most), step=1, label="Codebook", interactive=most > 1, buttons=[])


@work.reports_errors
def describe(opened: str, model: str, level: int) -> gr.Slider | object:
    """The slider for a model's codebooks."""
    return _levels(int(level), models.codec(model).n_codebooks) if opened == NAME else gr.skip()


@work.reports_errors
def look(
    opened: str, current: Current | None, model: str, level: int, shown: Shown, request: gr.Request
) -> tuple[list[facts.Fact], dict[str, Any], str, str, Shown] | object:
    """Facts, the tokens over time, the codebook's embeddings and how its codes were used; nothing in a closed tab."""
    wanted = None if current is None else (current.path, model, int(level))
    if wanted == shown:
        return gr.skip()
    if wanted is None or current is None or opened != NAME:
        return [], desks.nothing(EMPTY), "", "", None
    with work.Job("look", request) as job:
        sound = recordings.read(current.path)
        seen = look_inside(models.codec(model), sound, min(int(level), models.codec(model).n_codebooks))
        job.check()
        maker = desks.Maker(sound)
        decoded = recordings.Recording(sound.name, seen.codec.decode(seen.codes), sound.sample_rate)
        take = Take("decoded", "Decoded", "own", "", note=f"all {desks.books(seen.codec.n_codebooks)}")
        takes = (maker.original(), maker.finished(take, decoded, tokens=seen.tokens))
        desk = Desk(maker.folder.name, current.title, takes, selected=take.key, reference=ORIGINAL, model=model)
        embeddings = seen.codec.networks.quantizer.additive_codebooks()
        places = pictures.principal_axes(embeddings[seen.level - 1], seen.counts) if embeddings else ""
        return seen.facts, desk.as_data(), places, pictures.usage(seen.counts), wanted


@dataclass(frozen=True)
class Inside:
    """What a codec makes of a sound.

    Attributes:
        codec, codes: all tokens, and whose they are.
        level: the codebook that is looked at, from 1.
        counts: how often each of its codes was used, ``(alphabet,)``.
    """

    codec: Codec
    codes: Codes
    level: int
    counts: NDArray[np.int64]

    @cached_property
    def tokens(self) -> dict[str, Any]:
        """All tokens over time, and what they cost by the prior: both facts and pictures ask."""
        return tokens_picture(self.codec, self.codes.streams, margin=self.codes.margin)

    @property
    def facts(self) -> list[facts.Fact]:
        """How much of the codebook the recording uses, and what a token costs."""
        counts = self.counts
        shares = counts[counts > 0] / counts.sum()
        perplexity = float(np.exp(-np.sum(shares * np.log(shares))))
        found = [
            facts.fact(
                "codes used", f"{len(shares)} of {len(counts)}", f"by {counts.sum():,} tokens of this recording"
            ),
            facts.fact("perplexity", f"{perplexity:.0f}", "as many codes, used evenly, would vary as much"),
            facts.fact("most used code", f"{counts.argmax()}", f"{shares.max():.1%} of the tokens"),
        ]
        if self.codec.prior_file is None:
            return [*found, facts.fact("bits per token", "unknown", "this model has no prior")]
        plain, bits = self.tokens["plain"], float(np.mean(self.tokens["bits"]))
        note = f"{plain:g} as plain integers: {1 - bits / plain:.0%} saved"
        return [*found, facts.fact("bits per token", f"{bits:.2f}", note)]


def look_inside(codec: Codec, sound: recordings.Recording, level: int) -> Inside:
    """Code a recording with all codebooks, to look at one of them.

    Raises:
        VqaudioError: the codec has no such codebook.
    """
    if not 1 <= level <= codec.n_codebooks:
        raise VqaudioError(f"codebook {level} asked for, but {codec.name} has 1 to {codec.n_codebooks}")
    codes = codec.encode(sound.wav, sound.sample_rate)
    alphabet = codec.streams[level - 1].alphabet
    return Inside(codec, codes, level, np.bincount(codes.streams[level - 1].ravel(), minlength=alphabet))
