"""What a model makes of a recording: which codes it uses, where they lie, and what each costs by the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr
import numpy as np

from demo import facts, inputs, models, outputs, pictures, recordings, work
from vqaudio.errors import VqaudioError

if TYPE_CHECKING:
    from vqaudio.codec.codec import Codec

TITLE = "Look inside"
WHICH = "Which codebook"


def build(page: gr.Blocks) -> None:
    """Lay out the tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            recording = inputs.recording()
        with gr.Column(scale=3, min_width=300):
            model = inputs.model(models.names())
            level = inputs.codebooks(1, label=WHICH)
            with gr.Row():
                go = gr.Button("Look", variant="primary")
                place_of_stop = gr.Column(scale=0, min_width=96)
    figures = facts.tiles("Facts")
    costs = pictures.image("Bits per token over time, by the prior", "picture", "wide")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            places = pictures.image("The codebook's embeddings", "picture")
        with gr.Column(min_width=280):
            usage = pictures.image("How often its codes were used", "picture")
    results = [figures, costs, places, usage]
    event = go.click(look, [recording, model, level], results, api_name="look", show_progress_on=[costs], **work.QUEUE)
    with place_of_stop:
        inputs.stop_button("look", [event])
    for trigger in (page.load, model.change):
        trigger(describe, [model, level], level, queue=False, show_progress="hidden", api_visibility="private")


@work.reports_errors
def describe(model: str, level: int) -> gr.Slider:
    """The slider for a model's codebooks."""
    return inputs.codebooks(level, models.codec(model).n_codebooks, label=WHICH)


@work.reports_errors
def look(
    recording: str | None, model: str, level: int, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[list[facts.Fact], str | None, str | None, str]:
    """Encode a recording with all codebooks, and look at one of them.

    Returns facts; bits per token over time, where the model has a prior; the codebook's embeddings along their
    principal axes, where it has any; and how often each code was used.
    """
    with work.Job("look", request, progress) as job:
        sound = recordings.read(recording)
        job.step(0.05, "loading the model")
        codec = models.codec(model)
        if not 1 <= level <= codec.n_codebooks:
            raise VqaudioError(f"codebook {level} asked for, but {model} has 1 to {codec.n_codebooks}")
        job.step(0.2, "encoding")
        codes = codec.encode(sound.wav, sound.sample_rate).streams[level - 1]
        counts = np.bincount(codes.ravel(), minlength=codec.streams[level - 1].alphabet)
        folder = outputs.new_folder()
        found = used(counts)
        job.step(0.5, "asking the prior")
        costs = None
        if codec.prior_file is None:
            found.append(facts.fact("bits per token", "unknown", "this model has no prior"))
        else:
            per_frame = bits_per_frame(codec, sound)
            flat = float(np.mean([stream.bits for stream in codec.streams]))
            costs = pictures.bits(per_frame, flat, seconds=sound.seconds, path=folder / "bits.png")
            note = f"{flat:g} as plain integers: {1 - per_frame.mean() / flat:.0%} saved"
            found.append(facts.fact("bits per token", f"{per_frame.mean():.2f}", note))
        job.step(0.8, "drawing")
        embeddings = codec.networks.quantizer.additive_codebooks()
        places = None
        if embeddings:
            table = embeddings[level - 1]
            places = pictures.principal_axes(table, counts, path=folder / "embeddings.png")
        return found, costs, places, pictures.usage(counts, folder / "usage.png")


def used(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[facts.Fact]:
    """How much of a codebook a recording uses; ``counts``: ``(alphabet,)``."""
    shares = counts[counts > 0] / counts.sum()
    perplexity = float(np.exp(-np.sum(shares * np.log(shares))))
    return [
        facts.fact("codes used", f"{len(shares)} of {len(counts)}", f"by {counts.sum():,} tokens of this recording"),
        facts.fact("perplexity", f"{perplexity:.0f}", "as many codes, used evenly, would vary as much"),
        facts.fact("most used code", f"{counts.argmax()}", f"{shares.max():.1%} of the tokens"),
    ]


def bits_per_frame(codec: Codec, sound: recordings.Recording) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Bits per token by the prior at each frame of the finest stream: means over codebooks and channels."""
    parts = [part.mean(axis=0) for part in codec.score(sound.source)]
    longest = max(map(len, parts))
    return np.mean([np.repeat(part, -(-longest // len(part)))[:longest] for part in parts], axis=0)
