"""The bar above the tabs: the one recording that all of them are about. It is uploaded, dropped, recorded or picked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder

from demo import assets, examples, inputs, models, outputs, recordings, work
from vqaudio.codec.opened import StoredSound, open_vq
from vqaudio.errors import AudioError, VqaudioError

VQ = ".vq"


@dataclass(frozen=True)
class Current:
    """The recording that the tabs are about.

    Attributes:
        path: its file, in a folder of its own.
        title: as it is shown.
        note: what else is to be told of it.
        packed: the ``.vq`` file that it came in, where it did.
    """

    path: str
    title: str
    note: str = ""
    packed: str = ""


def _place() -> gr.HTML:
    """Buttons to bring a recording, and examples; the value says which one is there."""
    return gr.HTML(
        {"examples": list(examples.names()), "title": "", "note": ""},
        label="Recording",
        html_template='<div class="place"></div>',
        js_on_load=assets.mount("vqaudioBar", "brought", "picked", "refused"),
        elem_classes="bar",
        apply_default_css=False,
        most_seconds=recordings.MAX_SECONDS,
    )


def build(page: gr.Blocks) -> gr.State:
    """Lay it out; the state holds the :class:`Current` recording, None until there is one."""
    current, bar = gr.State(None), _place()
    bar.brought(brought, None, [bar, current], **inputs.PROMPT)
    bar.picked(picked, None, [bar, current], **inputs.PROMPT)
    bar.refused(refused, None, None, **inputs.PROMPT)
    page.load(first, None, [bar, current], **inputs.PROMPT)
    return current


# ------------------------------------------------------------------------------------------------------------ handlers


@work.reports_errors
def first() -> tuple[dict[str, Any], Current]:
    """The recording that a visitor finds open."""
    return example(examples.names()[0])


@work.reports_errors
def picked(event: gr.EventData) -> tuple[dict[str, Any], Current]:
    """One of the examples, by its number."""
    number = event.number
    if not isinstance(number, int) or not 0 <= number < len(examples.names()):
        raise VqaudioError("There is no such example")
    return example(examples.names()[number])


@work.reports_errors
def brought(event: gr.EventData) -> tuple[dict[str, Any], Current]:
    """A file that has been uploaded, dropped or recorded; what is wrong with it is said at once."""
    path, name = uploaded(event.path), Path(str(event.name)).name
    if path.suffix.lower() == VQ:
        return shown(unpacked(path, name))
    sound = recordings.read(str(path))
    for problem in sound.problems:
        gr.Warning(problem, title="Part of it is missing")
    return shown(Current(str(path), name, f"{sound.seconds:.1f} s"))


@work.reports_errors
def refused(event: gr.EventData) -> None:
    """Say what the browser said of an upload or of the microphone."""
    raise AudioError(str(event.reason)[:200])


def example(name: str) -> tuple[dict[str, Any], Current]:
    """One of the examples."""
    path = examples.make(name)
    return shown(Current(str(path), name, f"{recordings.read(str(path)).seconds:.1f} s"))


def shown(current: Current) -> tuple[dict[str, Any], Current]:
    """What the bar says of a recording, and the recording."""
    return {"examples": list(examples.names()), "title": current.title, "note": current.note}, current


def uploaded(path: object) -> Path:
    """A path that the browser names, if it is that of an upload.

    Raises:
        VqaudioError: it is another; the browser is not to be believed.
    """
    found = Path(str(path)).resolve()
    if not found.is_relative_to(Path(get_upload_folder()).resolve()) or not found.is_file():
        raise VqaudioError("The upload is not here any more: bring the file once more")
    return found


def unpacked(path: Path, name: str) -> Current:
    """The sound in a ``.vq`` file as the recording; what is damaged becomes silence and is reported.

    Raises:
        VqaudioError: it holds a table, or a sound that no model here decodes, or one that is too long.
    """
    with open_vq(str(path), name=name) as stored:
        if not isinstance(stored, StoredSound):
            raise VqaudioError(f"{name}: holds a table, which the tab Tables opens")
        sound = models.codec_of(stored).open(stored)
        recordings.check_size(sound, name)
        wav = sound.read(0, sound.n_samples) if sound.n_samples else np.zeros((sound.channels, 1), np.float32)
        for problem in sound.damage:
            gr.Warning(f"{name}: {problem}", title="Part of it is silence")
        kbps = 8 * stored.size / max(sound.n_samples / sound.sample_rate, 1e-3) / 1000
        note = f"{sound.n_samples / sound.sample_rate:.1f} s out of {stored.size:,} bytes, {kbps:.2f} kb/s"
        made = outputs.write_wav(outputs.new_folder() / f"{path.stem}.wav", wav, sample_rate=sound.sample_rate)
    return Current(made, name, note, packed=str(path))
