"""Inputs that several tabs have: a recording with examples, a model, and the button that stops what it started."""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path

import gradio as gr

from demo import models, outputs, recordings, work
from vqaudio.audio.recordings import MANIFEST, has_manifest, read_manifest
from vqaudio.prior.sampling import Sampling

ROOT = Path(__file__).parents[1]
HELD_OUT = 3
"""How many held-out recordings are offered, where there are any."""
MADE_UP = "A made-up voice"
MADE_UP_SECONDS = 3.0
CORPORA = {"librispeech": "LibriSpeech", "vctk": "VCTK"}
"""Where held-out recordings are taken from, and how that is written."""


def recording(label: str = "Recording") -> gr.Audio:
    """An upload, a recording, an example, or a voice that the model makes up; checked as soon as it is there."""
    audio = gr.Audio(
        label=f"{label}, up to {recordings.MAX_SECONDS} s",
        sources=["upload", "microphone"],
        type="filepath",
        buttons=[],
    )
    audio.upload(check, audio, None, api_visibility="private", show_progress="hidden")
    audio.stop_recording(check, audio, None, api_visibility="private", show_progress="hidden")
    chips = [*examples(), *([MADE_UP] if models.with_prior() else [])]
    dataset = gr.Dataset(
        components=["textbox"], samples=[[name] for name in chips], type="index", label="or pick one of these"
    )
    dataset.click(pick, dataset, audio, api_visibility="private", **work.QUEUE)
    return audio


def model(choices: list[str], label: str = "Model") -> gr.Dropdown:
    """Which model to use; where there is one, it is shown all the same."""
    return gr.Dropdown(choices, label=label, interactive=len(choices) > 1, filterable=False)


def codebooks(value: int, most: int = 8, *, label: str = "Codebooks") -> gr.Slider:
    """One to ``most``; a model's own number may be known only once it is loaded."""
    return gr.Slider(1, max(2, most), min(value, most), step=1, label=label, interactive=most > 1, buttons=[])


def stop_button(kind: str, events: list[gr.events.Dependency]) -> gr.Button:
    """Stops the visitor's jobs of a kind, whether they run or wait."""
    button = gr.Button("Stop", variant="stop", min_width=96)
    button.click(
        work.stop(kind), None, None, cancels=events, queue=False, api_name=f"stop_{kind}", show_progress="hidden"
    )
    return button


@work.reports_errors
def check(path: str | None) -> None:
    """Say at once what is wrong with an upload."""
    if path is not None:
        for problem in recordings.read(path).problems:
            gr.Warning(problem, title="Part of it is missing")


@work.reports_errors
def pick(index: int, request: gr.Request, progress: gr.Progress = work.PROGRESS) -> str:
    """The example of a number, or, after the last of them, a made-up voice."""
    paths = list(examples().values())
    if index < len(paths):
        sound = recordings.read(str(paths[index]))
        return outputs.write_wav(
            outputs.new_folder() / f"{paths[index].stem}.wav", sound.wav, sample_rate=sound.sample_rate
        )
    return make_up(request, progress)


def make_up(request: gr.Request, progress: gr.Progress) -> str:
    """Three seconds of a voice that nobody has, from the first model that has a prior."""
    with work.Job("make_up", request, progress) as job:
        job.step(0.0, "loading the model")
        codec = models.codec(models.with_prior()[0])
        n_frames = round(MADE_UP_SECONDS * codec.frame_rate)
        how = Sampling(temperature=0.9, seed=secrets.randbits(31))
        wav = codec.sample(n_frames, sampling=how, done=job.part(0.0, 1.0, n_frames, "sampling codes"))[0]
        return outputs.write_wav(outputs.new_folder() / "made-up-voice.wav", wav[None], sample_rate=codec.sample_rate)


@cache
def examples() -> dict[str, Path]:
    """What is offered, by what it is called: a sound of our own making, and held-out recordings where there are any."""
    return {"Sung vowels, made by rule": ROOT / "examples" / "vowels.wav"} | held_out()


def data_folder() -> Path:
    """Where recordings and tables to try are looked for: ``$VQAUDIO_DATA``, else ``../shared/data``."""
    return Path(os.environ.get("VQAUDIO_DATA", ROOT.parent / "shared" / "data"))


def held_out() -> dict[str, Path]:
    """A few recordings of voices that no model learned from, by what to call them; none where there is no data."""
    folder = data_folder() / "speech"
    if not has_manifest(folder):
        return {}
    found: dict[str, Path] = {}
    for item in read_manifest(folder / MANIFEST):
        if item.split == "valid" and item.corpus in CORPORA and 3 < (item.seconds or 0) < 9:
            found.setdefault(f"{CORPORA[item.corpus]}, speaker {item.speaker}", item.path)
    names = sorted(found)
    chosen = names[:: max(1, len(names) // HELD_OUT)][:HELD_OUT]
    return {name: found[name] for name in chosen if found[name].is_file()}
