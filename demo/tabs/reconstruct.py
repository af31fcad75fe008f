"""A recording through the codec: both to hear, both to see, and what it costs."""

from __future__ import annotations

import io
from pathlib import Path

import gradio as gr
import numpy as np

from demo import facts, inputs, models, outputs, pictures, playback, recordings, work
from vqaudio.codec.options import CodingOptions
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE
from vqaudio.evaluation.opus import Opus

TITLE = "Reconstruct"
OPUS_KBPS = 6
LEAST_SECONDS = 0.5  # below, neither PESQ nor STOI is defined


def build(page: gr.Blocks) -> None:
    """Lay out the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            recording = inputs.recording()
        with gr.Column(scale=3, min_width=300):
            model = inputs.model(models.names())
            n_codebooks = inputs.codebooks(3)
            rate = gr.Markdown("&nbsp;", elem_classes="rate")
            with gr.Row():
                go = gr.Button("Encode and decode", variant="primary")
                place_of_stop = gr.Column(scale=0, min_width=96)
    with gr.Row():
        with gr.Column(min_width=280):
            original = outputs.player("Original")
            mel_original = pictures.mel_image("Original, mel bands to 8 kHz")
        with gr.Column(min_width=280):
            decoded = outputs.player("Decoded")
            mel_decoded = pictures.mel_image("Decoded, on the same scale")
    figures = facts.tiles("Facts")
    grid = pictures.image("Tokens: a colour for each code", "picture", "wide")
    with gr.Row():
        download = gr.DownloadButton("Download the .vq file", interactive=False)
        judge = gr.Button("Measure PESQ and STOI", interactive=False)
    scores = facts.tiles("Scores")

    results = [original, decoded, mel_original, mel_decoded, figures, grid, download]
    wanted = [recording, model, n_codebooks]
    went = go.click(reconstruct, wanted, results, api_name="reconstruct", show_progress_on=[decoded], **work.QUEUE)
    slid = n_codebooks.release(
        again, [original, *wanted], results, api_visibility="private", show_progress_on=[decoded], **work.QUEUE
    )
    with place_of_stop:
        inputs.stop_button("reconstruct", [went, slid])
    for result in (went, slid):
        result.success(_ready, None, [download, judge, scores], queue=False, api_visibility="private")
    judge.click(measure, [original, decoded], scores, api_name="measure", **work.QUEUE)
    n_codebooks.change(
        rate_text,
        [model, n_codebooks],
        rate,
        api_visibility="private",
        queue=False,
        show_progress="hidden",
        trigger_mode="always_last",
    )
    for trigger in (page.load, model.change):
        trigger(
            describe,
            [model, n_codebooks],
            [n_codebooks, rate],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
    playback.build()


# ------------------------------------------------------------------------------------------------------------ handlers


@work.reports_errors
def reconstruct(
    recording: str | None, model: str, n_codebooks: int, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[str, str, str, str, list[facts.Fact], str, str]:
    """Encode a recording with the first few codebooks, decode it again, and say what it costs.

    Returns the original and the decoded sound, their mel spectrograms, facts, the tokens and the .vq file.
    """
    with work.Job("reconstruct", request, progress) as job:
        job.step(0.0, "reading the recording")
        sound = recordings.read(recording)
        job.step(0.05, "loading the model")
        codec = models.codec(model)
        file = io.BytesIO()
        codec.write(
            sound.source,
            file,
            options=CodingOptions(n_codebooks=n_codebooks),
            done=job.part(0.1, 0.4, sound.seconds, "packing codes"),
        )
        codes = codec.encode(sound.wav, sound.sample_rate, n_codebooks=n_codebooks)  # those in the file
        job.step(0.5, "decoding")
        decoded = recordings.Recording(sound.name, codec.decode(codes), sound.sample_rate)
        job.step(0.8, "drawing")
        folder = outputs.new_folder()
        stem = Path(sound.name).stem or "recording"
        packed = folder / f"{stem}-{n_codebooks}-of-{codec.n_codebooks}.vq"
        packed.write_bytes(file.getvalue())
        return (
            outputs.write_wav(folder / f"{stem}-original.wav", sound.wav, sample_rate=sound.sample_rate),
            outputs.write_wav(folder / f"{stem}-decoded.wav", decoded.wav, sample_rate=sound.sample_rate),
            *pictures.mel_pair(sound, decoded, folder=folder),
            costs(sound, n_bytes=len(file.getvalue()), n_tokens=sum(part.size for part in codes.streams)),
            pictures.token_grid(
                codes.streams,
                max(stream.alphabet for stream in codec.streams),
                seconds=sound.seconds,
                path=folder / "tokens.png",
            ),
            str(packed),
        )


def again(
    shown: str | None,
    recording: str | None,
    model: str,
    n_codebooks: int,
    request: gr.Request,
    progress: gr.Progress = work.PROGRESS,
) -> object:
    """The same with another number of codebooks, once there is a first result."""
    if shown is None or recording is None:
        return gr.skip()
    return reconstruct(recording, model, n_codebooks, request, progress)


def costs(sound: recordings.Recording, *, n_bytes: int, n_tokens: int) -> list[facts.Fact]:
    """The size of a ``.vq`` file beside those of a WAV and of Opus."""
    kbps = n_bytes * 8 / sound.seconds / 1000
    found = [
        facts.fact("this file", f"{n_bytes:,} bytes", f"{kbps:.2f} kb/s for {sound.seconds:.2f} s"),
        facts.fact("tokens", f"{n_tokens:,}", f"{n_bytes * 8 / n_tokens:.2f} bits each, all told"),
        facts.fact("16-bit WAV", f"{sound.wav_bytes:,} bytes", f"{sound.wav_bytes / n_bytes:.0f} times as large"),
    ]
    if Opus.missing() is None:
        opus = Opus(OPUS_KBPS).run(sound.mono(SAMPLE_RATE)).n_bytes
        note = f"asked for {OPUS_KBPS} kb/s, mono: {opus / n_bytes:.1f} times as large"
        found.append(facts.fact("Opus", f"{opus:,} bytes", note))
    return found


@work.reports_errors
def measure(
    original: str | None, decoded: str | None, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> list[facts.Fact]:
    """PESQ-WB and STOI of a decoded sound against its original, both as mono at 16 kHz."""
    with work.Job("measure", request, progress) as job:
        job.step(0.0, "reading")
        waves = [recordings.read(path).mono(SAMPLE_RATE) for path in (original, decoded)]
        n_samples = min(map(len, waves))
        if n_samples < LEAST_SECONDS * SAMPLE_RATE:
            raise VqaudioError(
                f"These are {n_samples / SAMPLE_RATE:.2f} s, and scores need {LEAST_SECONDS:g} s or more"
            )
        found = []
        for share, (name, note) in enumerate((("pesq_wb", "1.04 to 4.64, higher is better"), ("stoi", "0 to 1"))):
            job.step(0.1 + 0.4 * share, f"measuring {METRICS[name].title}")
            value = METRICS[name].measure(waves[0][:n_samples], waves[1][:n_samples])
            figure = "undefined" if np.isnan(value) else f"{value:.{METRICS[name].decimals}f}"
            found.append(
                facts.fact(METRICS[name].title, figure, note if figure != "undefined" else "too little speech")
            )
        return found


def _ready() -> tuple[gr.DownloadButton, gr.Button, list[facts.Fact]]:
    return gr.DownloadButton(interactive=True), gr.Button(interactive=True), []


@work.reports_errors
def rate_text(model: str, n_codebooks: int) -> str:
    """What so many codebooks take."""
    codec = models.codec(model)
    kbps = codec.kbps(min(n_codebooks, codec.n_codebooks))
    saved = " as plain integers; the prior makes files smaller" if codec.prior_file is not None else ""
    return f"**{kbps:.2f} kb/s**{saved}"


@work.reports_errors
def describe(model: str, n_codebooks: int) -> tuple[gr.Slider, str]:
    """The slider for a model's codebooks, and its rate. The page asks when it is up, so that the model loads then."""
    codec = models.codec(model)
    return inputs.codebooks(n_codebooks, codec.n_codebooks), rate_text(model, n_codebooks)
