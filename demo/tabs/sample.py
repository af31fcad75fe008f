"""New sound from a model's prior: of a speaker, of a digit, or after a recording."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import gradio as gr

from demo import inputs, models, outputs, recordings, work
from vqaudio.errors import ModelError, VqaudioError
from vqaudio.prior.base import NONE
from vqaudio.prior.sampling import Sampling

TITLE = "Sample"
MAX_COUNT = 4
MAX_SECONDS = 10
PROMPT_SECONDS = 10
"""So much of the end of a recording is gone on from: the prior does not look further back than that."""
ANY = ("any", "")
WORDS_TOLD = 12
WORD_SECONDS = 0.5
"""For progress alone: about so long a word takes."""
MOST_TEXT = 200
"""Characters."""


def build(page: gr.Blocks) -> None:
    """Lay out the tab."""
    choices = models.with_prior()
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            model = inputs.model(choices)
            with gr.Row():
                speaker, label = (_field(model.value, field, title) for field, title in FIELDS.items())
            text = _text(model.value)
            seconds = gr.Slider(1, MAX_SECONDS, 3, step=0.5, label="Seconds", buttons=[])
            count = gr.Slider(1, MAX_COUNT, 2, step=1, label="How many at once", buttons=[])
            with gr.Accordion("How they are sampled", open=False):
                n_codebooks = _codebooks(model.value)
                temperature = gr.Slider(
                    0, 2, 0.9, step=0.05, label="Temperature: 0 is always the likeliest", buttons=[]
                )
                top_p = gr.Slider(
                    0.05, 1, 1, step=0.01, label="Top-p: sample among codes of this probability", buttons=[]
                )
                with gr.Row(equal_height=True):
                    seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=2**53)
                    another = gr.Button("Another seed", size="sm", min_width=110, scale=0)
            with gr.Accordion("Continue my recording", open=False):
                prompt = inputs.recording("What to go on from")
            with gr.Row():
                go = gr.Button("Sample", variant="primary")
                place_of_stop = gr.Column(scale=0, min_width=96)
        with gr.Column(scale=3, min_width=300):
            players = [outputs.player(f"Sample {n + 1}", visible=n < count.value) for n in range(MAX_COUNT)]
            if not choices:
                gr.Markdown(_no_prior())

    wanted = [model, speaker, label, text, seconds, n_codebooks, count, temperature, top_p, seed, prompt]
    event = go.click(sample, wanted, players, api_name="sample", **work.QUEUE)
    with place_of_stop:
        inputs.stop_button("sample", [event])
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    another.click(lambda: secrets.randbits(31), None, seed, **quiet)
    count.change(lambda n: [gr.Audio(visible=index < n) for index in range(MAX_COUNT)], count, players, **quiet)
    model.change(describe, model, [speaker, label, text, n_codebooks], **quiet)


FIELDS = {"speaker": "Speaker", "label": "Digit"}
"""What priors may be told, and what the page calls it."""


def _field(model: str | None, field: str, title: str) -> gr.Dropdown:
    """A dropdown for what a model's prior can be told in a field; hidden where it knows nothing of it.

    Callers of the API may name any model, so any label passes here; the prior refuses what it does not know.
    """
    prior = models.prior(model) if model else None
    known = prior.fields.get(field, ()) if prior else ()
    return gr.Dropdown(
        [ANY, *((name, name) for name in known)],
        value="",
        label=title,
        info=f"one of {len(known)}, or any",
        visible=bool(known),
        allow_custom_value=True,
        min_width=120,
    )


def _text(model: str | None) -> gr.Textbox:
    """What shall be said; hidden where a model's prior knows no text."""
    prior = models.prior(model) if model else None
    alphabet = prior.alphabet if prior else None
    known = () if alphabet is None else alphabet.symbols
    words = ", ".join(known[:WORDS_TOLD]) + (", ..." if len(known) > WORDS_TOLD else "")
    return gr.Textbox(
        value="",
        label="Say",
        placeholder="nothing in particular",
        info=f"in these words: {words}; it takes as long as it takes",
        max_lines=2,
        visible=bool(known),
    )


def _codebooks(model: str | None) -> gr.Slider:
    prior = models.prior(model) if model else None
    most = prior.n_codebooks if prior else 1
    return inputs.codebooks(most, most)


def describe(model: str) -> tuple[gr.Dropdown, gr.Dropdown, gr.Textbox, gr.Slider]:
    """The inputs that depend on the model."""
    speaker, label = (_field(model, field, title) for field, title in FIELDS.items())
    return speaker, label, _text(model), _codebooks(model)


def _no_prior() -> str:
    return "None of the models here has a prior, so nothing can be sampled: train one (recipes/)."


@work.reports_errors
def sample(
    model: str | None,
    speaker: str,
    label: str,
    text: str,
    seconds: float,
    n_codebooks: int,
    count: int,
    temperature: float,
    top_p: float,
    seed: int,
    prompt: str | None,
    request: gr.Request,
    progress: gr.Progress = work.PROGRESS,
) -> list[str | None]:
    """Sample sounds that nobody made, each of so many seconds; with a prompt, they begin with its end.

    With a text they say it, and are as long as that takes; a prompt, and seconds, are then left aside.

    Returns as many sounds as were asked for, and None for the players left over.
    """
    with work.Job("sample", request, progress) as job:
        if model is None:
            raise ModelError(_no_prior())
        if not 1 <= count <= MAX_COUNT or not 0 < seconds <= MAX_SECONDS:
            raise VqaudioError(
                f"{count} sounds of {seconds:g} s asked for: at most {MAX_COUNT} of {MAX_SECONDS} s are sampled at once"
            )
        if len(text) > MOST_TEXT:
            raise VqaudioError(f"the text has {len(text)} characters, at most {MOST_TEXT} are said at once")
        how = Sampling(temperature=temperature, top_p=top_p, seed=int(seed))
        sound = None if prompt is None else recordings.read(prompt)
        job.step(0.0, "loading the model")
        codec = models.codec(model)
        before = None if sound is None else sound.mono(codec.sample_rate)[-PROMPT_SECONDS * codec.sample_rate :]
        given = {"speaker": speaker, "label": label}
        condition = ",".join(f"{field}={name}" for field, name in given.items() if name) or NONE
        if text.strip():
            frames = round(WORD_SECONDS * len(text.split()) * codec.frame_rate)
            report = job.part(0.0, 1.0, frames, "sampling codes")
            wavs = codec.say([text] * count, condition=condition, sampling=how, done=report)
        else:
            n_frames = max(1, round(seconds * codec.frame_rate))
            wavs = codec.sample(
                n_frames,
                n_codebooks=n_codebooks,
                count=count,
                condition=condition,
                sampling=how,
                prompt=before,
                done=job.part(0.0, 1.0, n_frames, "sampling codes"),
            )
        folder, name = outputs.new_folder(), Path(sound.name).stem if sound else speaker or label or "sample"
        paths = [
            outputs.write_wav(folder / f"{name}-seed-{how.seed}-{number}.wav", wav[None], sample_rate=codec.sample_rate)
            for number, wav in enumerate(wavs, 1)
        ]
        return [*paths, *[None] * (MAX_COUNT - count)]
