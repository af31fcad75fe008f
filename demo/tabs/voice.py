"""The recording in another speaker's voice."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import desks, inputs, models, recordings, work
from demo.bar import Current
from demo.voices import cards, faces
from vqaudio.errors import ModelError
from vqaudio.evaluation.desk.data import ORIGINAL, Desk, Take, tokens_picture

TITLE = "Change voice"
NAME = "voice"
EMPTY = "Choose a voice, and hear it say what the recording says."
NO_SPEAKERS = (
    "None of the models here has been trained with speakers to choose from, so nothing can be converted. A model with "
    "speakers can be given when the page is started: `python -m demo --model voices.safetensors`"
)
NOBODY = ("choose one", "")
Shown = tuple[str, str, str] | None
"""Which recording, model and speaker a desk shows."""


def build(page: inputs.Page) -> None:
    """Lay out the tab."""
    choices = models.with_speakers()
    if not choices:
        gr.Markdown(NO_SPEAKERS, elem_classes="note")
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=300):
            first = choices[0] if choices else None
            voices = faces(first, _speakers(first), elem_id="voice-voices")
        with gr.Column(scale=1, min_width=220):
            model = inputs.model(choices)
            speaker = _speaker(first)
    desk = desks.listening("The recording in another voice", EMPTY, elem_id="voice-desk")
    shown = gr.State(None)

    wanted = [page.opened, page.current, model, speaker, shown]
    for changed in (page.current.change, page.opened.change, speaker.change):
        changed(change, wanted, [desk, shown], show_progress="minimal", api_visibility="private", **work.QUEUE)
    voices.picked(_picked, None, speaker, queue=False, **inputs.QUIET)
    speaker.change(_marked, [model, speaker], voices, queue=False, **inputs.QUIET)
    model.change(_describe, model, [speaker, voices], queue=False, **inputs.QUIET)


def _speakers(model: str | None) -> tuple[str, ...]:
    return tuple(models.speakers(model)) if model else ()


def _speaker(model: str | None) -> gr.Dropdown:
    known = _speakers(model)
    return gr.Dropdown(
        [NOBODY, *((name, name) for name in known)],
        value="",
        label=f"All {len(known)} voices",
        interactive=bool(known),
        filterable=True,
    )


def _picked(event: gr.EventData) -> str:
    return str(event.speaker)


def _marked(model: str, speaker: str) -> dict[str, Any]:
    return cards(model, _speakers(model), speaker)


def _describe(model: str) -> tuple[gr.Dropdown, dict[str, Any]]:
    """The inputs that depend on the model."""
    return _speaker(model), cards(model, _speakers(model), "")


@work.reports_errors
def change(
    opened: str, current: Current | None, model: str | None, speaker: str, shown: Shown, request: gr.Request
) -> tuple[dict[str, Any], Shown] | object:
    """What the recording says, in the voice that is chosen; nothing where the tab is not open."""
    wanted = None if current is None or not model or not speaker else (current.path, model, speaker)
    if wanted == shown:
        return gr.skip()
    if wanted is None or current is None or opened != NAME:
        return desks.nothing(EMPTY), None
    with work.Job("convert", request) as job:
        sound = recordings.read(current.path)
        codec = models.codec(wanted[1])
        job.check()
        maker = desks.Maker(sound)
        codes = codec.encode(sound.wav, sound.sample_rate)
        made = recordings.Recording(speaker, codec.decode(codes, speaker), sound.sample_rate)
        job.check()
        take = Take("converted", f"As {speaker}", "own", "", note=f"by {model}")
        tokens = tokens_picture(codec, codes.streams, margin=codes.margin)
        takes = (maker.original(), maker.finished(take, made, tokens=tokens))
        title = f"{current.title}, as {speaker}"
        desk = Desk(maker.folder.name, title, takes, selected=take.key, reference=ORIGINAL)
        return desk.as_data(), wanted


def converted(recording: str | None, model: str | None, speaker: str | None) -> recordings.Recording:
    """What a recording, a file, says in the voice of one of the model's speakers.

    Raises:
        VqaudioError: there is no recording, model or speaker, or it cannot be read.
    """
    if not model:
        raise ModelError(NO_SPEAKERS)
    if not speaker:
        raise ModelError(f"No speaker is chosen: take one of {', '.join(models.speakers(model))}")
    sound = recordings.read(recording)
    wav = models.codec(model).convert(sound.wav, sound.sample_rate, speaker=speaker)
    return recordings.Recording(sound.name, wav, sound.sample_rate)
