"""The page: a heading and the tabs. ``gradio demo/app.py`` runs this file, ``python -m demo`` calls it."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # run as a file, which leaves the checkout itself out of the path
    sys.path.insert(0, str(Path(__file__).parents[1]))

import gradio as gr
from starlette.middleware import Middleware

from demo import api, assets, bar, examples, guard, inputs, models, outputs, recordings, work
from demo.tabs import TABS
from vqaudio.errors import VqaudioError
from vqaudio.registry import DEFAULT_MODEL

WEIGHTS = (400, 700)
"""Those for which Gradio brings whole fonts along."""
# Pale text and buttons have a contrast of 4.5 : 1 or more with what they stand on (WCAG 2.2, AA).
THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="slate",
    radius_size="md",
    font=[gr.themes.LocalFont("IBM Plex Sans", WEIGHTS), "system-ui", "sans-serif"],
    font_mono=[gr.themes.LocalFont("IBM Plex Mono", WEIGHTS), "monospace"],
).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_700",
    block_label_text_color_dark="*neutral_200",
    block_title_text_color="*neutral_700",
    block_title_text_color_dark="*neutral_200",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
    button_primary_text_color="white",
    button_primary_text_color_dark="white",
    color_accent="*primary_700",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
)
WELCOME = """# vqaudio
Speech as a short list of integers, and back. Everything here runs on this machine's CPU.
"""
CLEAN_EVERY = 600  # seconds
WAITING = 400
"""Visitors' requests that may wait; more are told to come back later, in the words of ``guard``."""


def build() -> gr.Blocks:
    """The page with all tabs."""
    with gr.Blocks(title="vqaudio", analytics_enabled=False, delete_cache=(CLEAN_EVERY, outputs.KEEP_SECONDS)) as page:
        api.build()  # first: whatever else is wired later cannot take the endpoints' names
        gr.Markdown(WELCOME, elem_classes="masthead")
        current = bar.build(page)
        opened = gr.State(TABS[0])
        with gr.Tabs(selected=TABS[0]) as tabs:
            for name in TABS:
                tab = importlib.import_module(f"demo.tabs.{name}")
                with gr.Tab(tab.TITLE, id=name) as place:
                    tab.build(inputs.Page(current, opened))
                shown = partial(_name, name)
                place.select(shown, None, opened, js=f"() => vqaudioTab('{name}')", **inputs.PROMPT)
        page.load(_wanted, None, [tabs, opened], **inputs.PROMPT)
        page.unload(work.stop())
    return page.queue(max_size=WAITING, api_open=False)


def _name(name: str) -> str:
    return name


def _wanted(request: gr.Request) -> tuple[gr.Tabs, str] | object:
    """The tab that the address names; without one, whatever the visitor has opened meanwhile stays open."""
    name = request.query_params.get("tab")
    return (gr.Tabs(selected=name), name) if name in TABS else gr.skip()


def warm_up() -> None:
    """Load what the first visitor needs, so that it is there in a moment."""
    try:
        models.codec(DEFAULT_MODEL)
        examples.make(examples.names()[0])
    except VqaudioError:  # visitors are told when they ask for it
        return


def launch(page: gr.Blocks, host: str = "127.0.0.1", port: int | None = None) -> None:
    """Serve a page until interrupted; without a port, on the first free one from 7860 on.

    Raises:
        OSError: the port is taken.
    """
    if threading.current_thread() is threading.main_thread():  # Gradio reloads in another
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # in order, so that temporary files go
    _, url, _ = page.launch(
        server_name=host,
        server_port=port,
        share=False,
        max_file_size=recordings.MAX_BYTES,
        theme=THEME,
        css=assets.style(),
        head=assets.head(),
        footer_links=["api", "settings"],
        run_history=False,
        ssr_mode=False,
        app_kwargs={"middleware": [Middleware(guard.Guard)]},
        quiet=True,
        prevent_thread_lock=True,
    )
    if url is not None:  # None where Gradio only reads this file again, to reload a page that is served already
        threading.Thread(target=warm_up, daemon=True).start()
        print(f"The demo is at {url}", flush=True)
        page.block_thread()


if __name__ == "__main__":
    demo = build()  # the name that Gradio looks for when it reloads
    launch(demo)
