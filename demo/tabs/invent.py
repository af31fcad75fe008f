"""New sound from a model's prior: in a voice, of a text where the model knows some, or going on from the recording."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from demo import desks, inputs, models, recordings, work
from demo.bar import Current
from demo.voices import cards, faces
from vqaudio.codec.codec import Codec
from vqaudio.codec.codes import Codes
from vqaudio.errors import ModelError, VqaudioError
from vqaudio.evaluation.desk.data import tokens_picture
from vqaudio.prior.base import NONE
from vqaudio.prior.sampling import Sampling

TITLE = "Invent"
EMPTY = "Press Invent, and hear speech that nobody said."
OLD = "This was made with other settings: press Invent for new sound."
MAX_COUNT = 4
MAX_SECONDS = 10
PROMPT_SECONDS = 10
"""So much of the end of a recording is gone on from: the prior does not look further back than that."""
ANY = ("any voice", "")
WORDS_TOLD = 12
WORD_SECONDS = 0.5
"""For progress alone: about so long a word takes."""
MOST_TEXT = 200
"""Characters."""
MOST_SEED = 2**31


def build(page: inputs.Page) -> None:
    """Lay out the tab."""
    choices = models.with_prior()
    if not choices:
        gr.Markdown(_no_prior(), elem_classes="note")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            model = inputs.model(choices)
            text = _text(model.value)
            seconds = gr.Slider(1, MAX_SECONDS, 3, step=0.5, label="Seconds", buttons=[])
            count = gr.Slider(1, MAX_COUNT, 2, step=1, label="How many", buttons=[])
            go_on = gr.Checkbox(label="Go on from the recording above")
            with gr.Accordion("How they are sampled", open=False):
                n_codebooks = _codebooks(model.value)
                temperature = gr.Slider(
                    0, 2, 0.9, step=0.05, label="Temperature: 0 is always the likeliest", buttons=[]
                )
                top_p = gr.Slider(0.05, 1, 1, step=0.01, label="Top-p: among codes of this probability", buttons=[])
                seed = gr.Number(None, label="Seed", placeholder="another one each time", precision=0)
            go = gr.Button("Invent", variant="primary", interactive=bool(choices))
        with gr.Column(scale=3, min_width=300):
            voices = faces(model.value, _speakers(model.value), elem_id="invent-voices")
            speaker = _speaker(model.value)
    desk = desks.listening("What was invented", EMPTY, elem_id="invent-desk", asks=("stop",))

    settings = [model, speaker, text, seconds, n_codebooks, count, temperature, top_p, seed, go_on]
    go.click(invent, [*settings, page.current], desk, show_progress="minimal", api_visibility="private", **work.QUEUE)
    desk.stop(work.stop("invent"), None, None, queue=False, **inputs.QUIET)
    voices.picked(_picked, None, speaker, queue=False, **inputs.QUIET)
    speaker.change(_marked, [model, speaker], voices, queue=False, **inputs.QUIET)
    model.change(_describe, model, [speaker, voices, text, n_codebooks], queue=False, **inputs.QUIET)
    for changed in (one.change for one in settings):
        changed(None, None, None, js=f"() => vqaudioOld('{desk.elem_id}', {OLD!r})")


def _speakers(model: str | None) -> tuple[str, ...]:
    return tuple(models.speakers_of_prior(model)) if model else ()


def _speaker(model: str | None) -> gr.Dropdown:
    known = _speakers(model)
    return gr.Dropdown(
        [ANY, *((name, name) for name in known)],
        value="",
        label=f"All {len(known)} voices",
        visible=bool(known),
        filterable=True,
    )


def _picked(event: gr.EventData) -> str:
    return str(event.speaker)


def _marked(model: str, speaker: str) -> dict[str, Any]:
    return cards(model, _speakers(model), speaker)


def _text(model: str | None) -> gr.Textbox:
    """What shall be said; hidden where a model's prior knows no text."""
    prior = models.prior(model) if model else None
    known = () if prior is None or prior.alphabet is None else prior.alphabet.symbols
    words = ", ".join(known[:WORDS_TOLD]) + (", ..." if len(known) > WORDS_TOLD else "")
    return gr.Textbox(
        value="",
        label="Say",
        placeholder="three one four one five" if known else "",
        info=f"in these words: {words}",
        max_lines=2,
        visible=bool(known),
    )


def _codebooks(model: str | None) -> gr.Slider:
    prior = models.prior(model) if model else None
    most = prior.n_codebooks if prior else 1
    return gr.Slider(1, max(2, most), most, step=1, label="Codebooks", interactive=most > 1, buttons=[])


def _describe(model: str) -> tuple[gr.Dropdown, dict[str, Any], gr.Textbox, gr.Slider]:
    """The inputs that depend on the model."""
    return _speaker(model), cards(model, _speakers(model), ""), _text(model), _codebooks(model)


def _no_prior() -> str:
    return "None of the models here has a prior, so nothing can be sampled: train one (recipes/)."


@work.reports_errors
def invent(
    model: str | None,
    speaker: str,
    text: str,
    seconds: float,
    n_codebooks: int,
    count: int,
    temperature: float,
    top_p: float,
    seed: float | None,
    go_on: bool,
    current: Current | None,
    request: gr.Request,
    progress: gr.Progress = work.PROGRESS,
) -> Iterator[dict[str, Any]]:
    """Sample sounds, and show them on the desk."""
    chosen = secrets.randbelow(MOST_SEED) if seed is None else int(seed)
    how = Settings(model, speaker, "", text, seconds, n_codebooks, count, temperature, top_p, chosen)
    yield {"id": "", "takes": [], "waiting": [f"sound {number + 1}" for number in range(int(count))], "empty": ""}
    with work.Job("invent", request, progress) as job:
        try:
            found = sampled(how, current.path if go_on and current else None, job)
        except (work.StoppedError, VqaudioError) as error:
            yield desks.nothing(EMPTY)
            raise error from None
    said = f"“{text.strip()}”" if text.strip() else f"{seconds:g} s"
    sounds = [
        (f"{speaker or 'Sound'} {number}", f"{said}, seed {chosen}", wav) for number, wav in enumerate(found.wavs, 1)
    ]
    tokens = [tokens_picture(found.codec, codes.streams, margin=codes.margin) for codes in found.codes]
    yield desks.several(str(model), sounds, found.codec.sample_rate, tokens=tokens).as_data()


@dataclass(frozen=True)
class Settings:
    """What is sampled, and how; see :func:`sampled`."""

    model: str | None
    speaker: str
    label: str
    text: str
    seconds: float
    n_codebooks: int
    count: int
    temperature: float
    top_p: float
    seed: int

    def check(self) -> str:
        """The model, if all that is asked for can be given.

        Raises:
            VqaudioError: no model, or too much.
        """
        if self.model is None:
            raise ModelError(_no_prior())
        if not 1 <= self.count <= MAX_COUNT or not 0 < self.seconds <= MAX_SECONDS:
            raise VqaudioError(
                f"{self.count:g} sounds of {self.seconds:g} s asked for: at most {MAX_COUNT} of {MAX_SECONDS} s are "
                "sampled at once"
            )
        if len(self.text) > MOST_TEXT:
            raise VqaudioError(f"the text has {len(self.text)} characters, at most {MOST_TEXT} are said at once")
        return self.model


@dataclass(frozen=True)
class Sampled:
    """Codes of sounds, and the codec that they are of."""

    codec: Codec
    codes: list[Codes]

    @property
    def wavs(self) -> list[NDArray[np.float32]]:
        """The sounds, each ``(samples,)`` at the codec's rate."""
        return [self.codec.decode(codes)[0] for codes in self.codes]


def sampled(how: Settings, prompt: str | None, job: work.Job) -> Sampled:
    """Sample sounds that nobody made, each of so many seconds; with a prompt, a file, they begin with its end.

    With a text they say it, and are as long as that takes; a prompt, and seconds, are then left aside.

    Raises:
        VqaudioError: too much, or a text, speaker or prompt that cannot be used. StoppedError: it was stopped.
    """
    model = how.check()
    sound = None if prompt is None else recordings.read(prompt)
    job.step(0.0, "loading the model")
    codec = models.codec(model)
    given = {"speaker": how.speaker, "label": how.label}
    condition = ",".join(f"{field}={name}" for field, name in given.items() if name) or NONE
    sampling = Sampling(temperature=how.temperature, top_p=how.top_p, seed=how.seed)
    if how.text.strip():
        frames = round(WORD_SECONDS * len(how.text.split()) * codec.frame_rate)
        report = job.part(0.0, 1.0, frames, "sampling codes")
        texts = [how.text] * int(how.count)
        return Sampled(codec, codec.say_codes(texts, condition=condition, sampling=sampling, done=report))
    before = None if sound is None else sound.mono(codec.sample_rate)[-PROMPT_SECONDS * codec.sample_rate :]
    n_frames = max(1, round(how.seconds * codec.frame_rate))
    found = codec.sample_codes(
        n_frames,
        n_codebooks=int(how.n_codebooks),
        count=int(how.count),
        condition=condition,
        sampling=sampling,
        prompt=before,
        done=job.part(0.0, 1.0, n_frames, "sampling codes"),
    )
    return Sampled(codec, found)
