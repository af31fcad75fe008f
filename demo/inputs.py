"""What several tabs have in common: what they share of the page, and a choice among models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo import work

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""How events are wired that nobody waits for, and that are no part of the API."""
PROMPT: dict[str, Any] = {"concurrency_limit": None, **QUIET}
"""How those of them are wired that change a state which others listen to: by way of the queue, but without waiting."""


@dataclass(frozen=True)
class Page:
    """What the tabs share.

    Attributes:
        current: the state with the :class:`demo.bar.Current` recording.
        opened: the state with the name of the tab that is open.
    """

    current: gr.State
    opened: gr.State


def model(choices: list[str]) -> gr.Dropdown:
    """Which model to use; where there is one, it is shown all the same."""
    return gr.Dropdown(choices, label="Model", interactive=len(choices) > 1, filterable=False, scale=0, min_width=220)


def stop_button() -> gr.Button:
    """A button to stop work with, which is there only while something runs: see :func:`stoppable`."""
    return gr.Button("Stop", variant="stop", min_width=96, visible=False)


def stoppable(
    button: gr.Button,
    kind: str,
    triggers: list[Any],
    handler: Callable[..., Any],
    given: list[Any],
    made: list[Any],
    *,
    empty: tuple[Any, ...],
) -> None:
    """Wire work of a kind that a button stops; it takes the place of what runs, and ``empty`` is shown meanwhile."""
    gr.on(triggers, work.stop(kind, replaced=True), None, None, queue=False, **QUIET)
    begun = gr.on(triggers, lambda: (*empty, gr.Button(visible=True)), None, [*made, button], queue=False, **QUIET)
    event = begun.then(handler, given, made, show_progress_on=made[0], api_visibility="private", **work.QUEUE)
    event.then(lambda: gr.Button(visible=False), None, button, queue=False, **QUIET)
    stopped = button.click(work.stop(kind), None, None, cancels=[event], queue=False, **QUIET)
    stopped.then(lambda: gr.Button(visible=False), None, button, queue=False, **QUIET)
