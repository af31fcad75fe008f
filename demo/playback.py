"""A ``.vq`` file to hear: drop one, and the model that wrote it decodes it."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import numpy as np

from demo import facts, inputs, models, outputs, recordings, work
from vqaudio.codec.opened import StoredSound, open_vq
from vqaudio.errors import VqaudioError


def build() -> None:
    """Lay it out."""
    gr.Markdown("### Hear a `.vq` file", elem_classes="section")
    with gr.Row(equal_height=False):
        with gr.Column(min_width=280):
            file = gr.File(label=".vq file", file_types=[".vq"], type="filepath", height=140)
        with gr.Column(min_width=280):
            player = outputs.player("Decoded")
            place_of_stop = gr.Row()
    figures = facts.tiles("Facts")
    event = file.upload(
        decompress, file, [player, figures], api_name="decompress", show_progress_on=[player], **work.QUEUE
    )
    with place_of_stop:
        inputs.stop_button("decompress", [event])


@work.reports_errors
def decompress(
    vq_file: str | None, request: gr.Request, progress: gr.Progress = work.PROGRESS
) -> tuple[str, list[facts.Fact]]:
    """Decode a .vq file by the model that wrote it; what is damaged becomes silence and is reported."""
    if vq_file is None:
        raise VqaudioError("There is no file yet: drop a .vq file")
    name = Path(vq_file).name
    with work.Job("decompress", request, progress) as job, open_vq(vq_file, name=name) as stored:
        job.step(0.0, "loading the model")
        if not isinstance(stored, StoredSound):
            raise VqaudioError(f"{name}: holds a table, which the tab Series opens")
        sound = models.codec_of(stored).open(stored)
        recordings.check_size(sound, name)
        report = job.part(0.05, 1.0, sound.n_samples, "decoding")
        blocks, step = [], 5 * sound.sample_rate
        for start in range(0, sound.n_samples, step):
            blocks.append(sound.read(start, min(start + step, sound.n_samples)))
            report(blocks[-1].shape[1])
        wav = np.concatenate(blocks, axis=1) if blocks else np.zeros((sound.channels, 0), np.float32)
        header, size = stored.header, stored.size
        seconds = sound.n_samples / sound.sample_rate
        found = [
            facts.fact("file", f"{size:,} bytes", f"{size * 8 / seconds / 1000:.2f} kb/s" if seconds else ""),
            facts.fact("sound", f"{seconds:.2f} s", f"{header.channels} × {header.source_rate} Hz"),
            facts.fact("codebooks", str(len(header.streams)), f"coded by: {header.entropy}"),
        ]
        damage = list(map(str, sound.damage))
        if damage:
            gr.Warning(f"{name} is damaged: {'; '.join(damage)}", title="Part of it is silence")
            found.append(facts.fact("damage", f"{len(damage)} found", "; ".join(damage)))
        return outputs.write_wav(
            outputs.new_folder() / f"{Path(name).stem}.wav", wav, sample_rate=sound.sample_rate
        ), found
