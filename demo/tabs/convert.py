"""A recording in another speaker's voice."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from demo import inputs, models, outputs, pictures, recordings, work
from vqaudio.errors import ModelError

TITLE = "Convert"
NO_SPEAKERS = (
    "None of the models here has been trained with speakers to choose from, so nothing can be converted. A model with "
    "speakers can be given when the page is started: `python -m demo --model voices.safetensors`"
)


def build(page: gr.Blocks) -> None:
    """Lay out the tab."""
    choices = models.with_speakers()
    if not choices:
        gr.Markdown(NO_SPEAKERS, elem_classes="note")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            recording = inputs.recording()
        with gr.Column(scale=3, min_width=300):
            model = inputs.model(choices)
            speaker = _speakers(model.value)
            with gr.Row():
                go = gr.Button("Convert", variant="primary", interactive=bool(choices))
                place_of_stop = gr.Column(scale=0, min_width=96)
    with gr.Row():
        with gr.Column(min_width=280):
            original = outputs.player("Original")
            mel_original = pictures.mel_image("Original, mel bands to 8 kHz")
        with gr.Column(min_width=280):
            converted = outputs.player("Converted")
            mel_converted = pictures.mel_image("Converted, on the same scale")
    results = [original, converted, mel_original, mel_converted]
    event = go.click(
        convert, [recording, model, speaker], results, api_name="convert", show_progress_on=[converted], **work.QUEUE
    )
    with place_of_stop:
        inputs.stop_button("convert", [event])
    model.change(_speakers, model, speaker, queue=False, show_progress="hidden", api_visibility="private")


def _speakers(model: str | None) -> gr.Dropdown:
    known = models.speakers(model) if model else ()
    return gr.Dropdown(
        list(known),
        value=known[0] if known else None,
        label="Speaker",
        info=f"one of {len(known)}" if known else None,
        interactive=bool(known),
        allow_custom_value=True,
    )


@work.reports_errors
def convert(
    recording: str | None,
    model: str | None,
    speaker: str | None,
    request: gr.Request,
    progress: gr.Progress = work.PROGRESS,
) -> tuple[str, str, str, str]:
    """What a recording says, in the voice of one of the model's speakers.

    Returns the original and the converted sound, and their mel spectrograms.
    """
    with work.Job("convert", request, progress) as job:
        if not model:
            raise ModelError(NO_SPEAKERS)
        if not speaker:
            raise ModelError(f"No speaker is chosen: take one of {', '.join(models.speakers(model))}")
        sound = recordings.read(recording)
        job.step(0.1, "loading the model")
        codec = models.codec(model)
        job.step(0.3, "converting")
        wav = codec.convert(sound.wav, sound.sample_rate, speaker=speaker)
        job.step(0.8, "drawing")
        converted = recordings.Recording(sound.name, wav, sound.sample_rate)
        folder, stem = outputs.new_folder(), Path(sound.name).stem or "recording"
        return (
            outputs.write_wav(folder / f"{stem}-original.wav", sound.wav, sample_rate=sound.sample_rate),
            outputs.write_wav(folder / f"{stem}-as-{speaker}.wav", wav, sample_rate=sound.sample_rate),
            *pictures.mel_pair(sound, converted, folder=folder),
        )
