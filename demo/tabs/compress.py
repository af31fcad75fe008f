"""The recording through the codec at several rates and through other codecs, to be heard in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from demo import desks, inputs, models, recordings, work
from demo.bar import Current
from vqaudio.errors import VqaudioError
from vqaudio.evaluation.desk.data import ORIGINAL, SCORES, Desk
from vqaudio.evaluation.metrics import METRICS, SAMPLE_RATE, Wave

TITLE = "Compress"
EMPTY = "Bring a recording above, and hear it at every rate."
CODING = "The recording is being coded."
LEAST_SECONDS = 0.5  # below, neither PESQ nor STOI is defined
Shown = tuple[dict[str, Any], Desk]


def build(page: inputs.Page) -> None:
    """Lay out the tab."""
    desk = desks.listening("The recording at several rates", EMPTY, elem_id="compress-desk", asks=("stop", "measure"))
    with gr.Row():
        model = inputs.model(models.names())
    made = gr.State(None)
    for changed in (page.current.change, model.change):
        changed(work.stop("compress", replaced=True), None, None, queue=False, **inputs.QUIET)
        changed(lambda: desks.nothing(CODING), None, desk, queue=False, **inputs.QUIET)
        begun = changed(first, [page.current, model], [desk, made], **inputs.QUIET, **work.QUEUE)
        begun.success(rest, [page.current, model, made], [desk, made], **inputs.QUIET, **work.QUEUE)
    desk.stop(work.stop("compress"), None, None, queue=False, **inputs.QUIET)
    desk.measure(measure, made, [desk, made], show_progress="minimal", api_visibility="private", **work.QUEUE)


@work.reports_errors
def first(current: Current | None, model: str, request: gr.Request) -> Shown | object:
    """The original and one rate, so that something is there to hear at once."""
    if current is None:
        return gr.skip()
    with work.Job("compress-first", request) as job:
        sound = recordings.read(current.path)
        codec = models.codec(model)
        job.check()
        maker, (middle, *others) = desks.Maker(sound), by_interest(desks.rates(codec))
        waiting = (*map(desks.books, others), *(system.name for system in desks.peers()))
        desk = Desk(
            id=maker.folder.name,
            title=f"{current.title}, {sound.seconds:.1f} s",
            takes=(maker.original(current.note if current.packed else "16-bit WAV"), maker.coded(codec, middle)),
            waiting=waiting,
            selected=desks.rate_key(middle),
            reference=ORIGINAL,
            model=model,
        )
        return desk.as_data(), desk


@work.reports_errors
def rest(current: Current | None, model: str, desk: Desk | None, request: gr.Request) -> Iterator[Shown]:
    """The other rates and codecs, each as soon as it is made."""
    if current is None or desk is None:
        return
    with work.Job("compress", request) as job:
        try:
            maker, codec = desks.Maker(recordings.read(current.path)), models.codec(model)
            numbers = desks.rates(codec)
            places = [ORIGINAL, *map(desks.rate_key, numbers)]
            makers = [lambda number=number: maker.coded(codec, number) for number in by_interest(numbers)[1:]]
            makers += [lambda system=system: maker.other(system) for system in desks.peers()]
            for make in makers:
                job.check()
                takes = [*desk.takes, make()]
                takes.sort(key=lambda take: places.index(take.key) if take.key in places else len(places))
                desk = replace(desk, takes=tuple(takes), waiting=desk.waiting[1:])
                yield desk.as_data(), desk
        except work.StoppedError:
            if not job.replaced:
                desk = replace(desk, waiting=())
                yield desk.as_data(), desk


def by_interest(numbers: list[int]) -> list[int]:
    """Numbers of codebooks, the one in the middle first."""
    middle = numbers[len(numbers) // 2]
    return [middle, *(number for number in numbers if number != middle)]


@work.reports_errors
def measure(desk: Desk | None, event: gr.EventData, request: gr.Request) -> Shown | object:
    """PESQ-WB and STOI of one take."""
    takes = {} if desk is None else {take.key: take for take in desk.takes}
    if desk is None or event.take not in takes or ORIGINAL not in takes:
        return gr.skip()
    take = takes[event.take]
    with work.Job("measure", request) as job:
        waves = [recordings.read(desks.path_of(one)).mono(SAMPLE_RATE) for one in (takes[ORIGINAL], take)]
        job.check()
        takes[take.key] = replace(take, facts=(*take.facts, *scores(*waves)))
    desk = replace(desk, takes=tuple(takes.values()))
    return desk.as_data(), desk


def scores(original: Wave, decoded: Wave) -> list[tuple[str, str]]:
    """PESQ-WB and STOI of ``(samples,)`` against its original at 16 kHz, each with its name.

    Raises:
        VqaudioError: too short to be measured.
    """
    n_samples = min(len(original), len(decoded))
    if n_samples < LEAST_SECONDS * SAMPLE_RATE:
        raise VqaudioError(f"These are {n_samples / SAMPLE_RATE:.2f} s, and scores need {LEAST_SECONDS:g} s or more")
    found = []
    for name in SCORES:
        value = METRICS[name].measure(original[:n_samples], decoded[:n_samples])
        figure = "undefined: too little speech" if np.isnan(value) else f"{value:.{METRICS[name].decimals}f}"
        found.append((METRICS[name].title, figure))
    return found
