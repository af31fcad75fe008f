"""The endpoints: what the tabs do, for programs; none of them is part of the page that visitors see.

Files go in as uploads and come back as files; figures are lists of objects with ``name``, ``figure`` and ``note``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from demo import bar, desks, facts, models, outputs, recordings, work
from demo.tabs import compress, inside, invent, tables, voice
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.metrics import SAMPLE_RATE

JOBS = ("reconstruct", "measure", "decompress", "sample", "convert", "look", "series", "table")


def build() -> None:
    """Declare the endpoints, by components that are never shown."""
    with gr.Column(visible=False):
        recording, vq_file, table = (gr.File(label=name, type="filepath") for name in ("recording", "vq_file", "table"))
        decoded = gr.File(label="decoded", type="filepath")
        model, singer, converter = (
            gr.Dropdown(known, label="model")
            for known in (models.names(), models.with_prior(), models.with_speakers() or [""])
        )
        codebooks = gr.Number(label="codebooks", precision=0)
        speaker, label, text = (gr.Textbox("", label=name) for name in ("speaker", "label", "text"))
        seconds, temperature, top_p = (gr.Number(label=name) for name in ("seconds", "temperature", "top_p"))
        count, seed = (gr.Number(label=name, precision=0) for name in ("count", "seed"))
        percent, lossless = gr.Number(label="percent"), gr.Checkbox(label="lossless")
        sound, packed, csv = (gr.File(label=name) for name in ("sound", "vq", "csv"))
        sounds, figures = gr.File(label="sounds", file_count="multiple"), gr.JSON(label="facts")

    def offer(name: str, handler: Callable[..., Any], given: list[Any], made: Any) -> None:
        button = gr.Button(visible=False)
        button.click(handler, given, made, api_name=name, **work.QUEUE)

    offer("reconstruct", reconstruct, [recording, model, codebooks], [sound, packed, figures])
    offer("measure", measure, [recording, decoded], figures)
    offer("decompress", decompress, [vq_file], [sound, figures])
    settings = [singer, speaker, label, text, seconds, codebooks, count, temperature, top_p, seed, recording]
    offer("sample", sample, settings, sounds)
    offer("convert", convert, [recording, converter, speaker], sound)
    offer("look", look, [recording, model, codebooks], figures)
    offer("series", series, [table, percent, lossless], [packed, csv, figures])
    offer("table", open_table, [vq_file], [csv, figures])
    for name in JOBS:
        gr.Button(visible=False).click(work.stop(name), None, None, queue=False, api_name=f"stop_{name}")


# ------------------------------------------------------------------------------------------------------------ handlers


@work.reports_errors
def reconstruct(
    recording: str | None, model: str, codebooks: int, request: gr.Request
) -> tuple[str, str, list[facts.Fact]]:
    """Encode a recording with the first few codebooks and decode it again.

    Returns the decoded sound, the .vq file and facts.
    """
    with work.Job("reconstruct", request):
        sound = recordings.read(recording)
        codec = models.codec(model)
        maker = desks.Maker(sound)
        take = maker.coded(codec, int(codebooks))
        size = take.bytes or 1
        found = [
            facts.fact("this file", f"{size:,} bytes", f"{8 * size / sound.seconds / 1000:.2f} kb/s"),
            facts.fact("16-bit WAV", f"{sound.wav_bytes:,} bytes", f"{sound.wav_bytes / size:.0f} times as large"),
            *(facts.fact(name, figure) for name, figure in take.facts),
        ]
        return desks.path_of(take), str(maker.folder / take.file), found


@work.reports_errors
def measure(recording: str | None, decoded: str | None, request: gr.Request) -> list[facts.Fact]:
    """PESQ-WB and STOI of a decoded sound against its recording, both as mono at 16 kHz."""
    with work.Job("measure", request):
        waves = [recordings.read(path).mono(SAMPLE_RATE) for path in (recording, decoded)]
        return [facts.fact(name, figure) for name, figure in compress.scores(*waves)]


@work.reports_errors
def decompress(vq_file: str | None, request: gr.Request) -> tuple[str, list[facts.Fact]]:
    """Decode a .vq file by the model that wrote it; what is damaged becomes silence and is reported."""
    if vq_file is None:
        raise VqaudioError("There is no file yet: give a .vq file")
    with work.Job("decompress", request):
        path = Path(vq_file)
        sound = bar.unpacked(path, path.name)
        return sound.path, [facts.fact("file", f"{path.stat().st_size:,} bytes", sound.note)]


@work.reports_errors
def sample(
    model: str,
    speaker: str,
    label: str,
    text: str,
    seconds: float,
    codebooks: int,
    count: int,
    temperature: float,
    top_p: float,
    seed: int,
    prompt: str | None,
    request: gr.Request,
    progress: gr.Progress = work.PROGRESS,
) -> list[str]:
    """Sample sounds that nobody made, each of so many seconds; with a prompt, they begin with its end.

    With a text they say it, and are as long as that takes; a prompt, and seconds, are then left aside.
    """
    how = invent.Settings(model, speaker, label, text, seconds, codebooks, count, temperature, top_p, int(seed))
    with work.Job("sample", request, progress) as job:
        found = invent.sampled(how, prompt, job)
        folder = outputs.new_folder()
        return [
            outputs.write_wav(folder / f"seed-{how.seed}-{number}.wav", wav[None], sample_rate=found.codec.sample_rate)
            for number, wav in enumerate(found.wavs, 1)
        ]


@work.reports_errors
def convert(recording: str | None, model: str, speaker: str, request: gr.Request) -> str:
    """What a recording says, in the voice of one of the model's speakers."""
    with work.Job("convert", request):
        made = voice.converted(recording, model, speaker)
        path = outputs.new_folder() / f"{Path(made.name).stem or 'recording'}-as-{speaker}.wav"
        return outputs.write_wav(path, made.wav, sample_rate=made.sample_rate)


@work.reports_errors
def look(recording: str | None, model: str, codebook: int, request: gr.Request) -> list[facts.Fact]:
    """How much of a codebook a recording uses, and what a token costs by the prior."""
    with work.Job("look", request):
        return inside.look_inside(models.codec(model), recordings.read(recording), int(codebook)).facts


@work.reports_errors
def series(
    table: str | None, percent: float, lossless: bool, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[str, str, list[facts.Fact]]:
    """Compress a table within a bound, in percent of each column's range, or exactly, and decode it again.

    Returns the .vq file, the decoded table as CSV, and facts.
    """
    with work.Job("series", request, progress) as job:
        made = tables.packed(table, percent, lossless, job)
        return made.packed, made.decoded, made.facts


@work.reports_errors
def open_table(
    vq_file: str | None, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[str, list[facts.Fact]]:
    """The table in a .vq file, in the format that it comes from; rows that are damaged are gaps and are reported."""
    with work.Job("table", request, progress) as job:
        return tables.unpacked(vq_file, job)
