"""The page: a heading and the tabs. ``gradio demo/app.py`` runs this file, ``python -m demo`` calls it."""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from pathlib import Path

if __name__ == "__main__":  # run as a file, which leaves the checkout itself out of the path
    sys.path.insert(0, str(Path(__file__).parents[1]))

import gradio as gr
from starlette.middleware import Middleware

from demo import guard, outputs, recordings, work
from demo.tabs import TABS

WEIGHTS = (400, 700)
"""Those for which Gradio brings whole fonts along."""
THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="slate",
    radius_size="md",
    font=[gr.themes.LocalFont("IBM Plex Sans", WEIGHTS), "system-ui", "sans-serif"],
    font_mono=[gr.themes.LocalFont("IBM Plex Mono", WEIGHTS), "monospace"],
)
WELCOME = """# vqaudio
Speech as a short list of integers, and back. Everything here runs on this machine's CPU.
"""
CLEAN_EVERY = 600  # seconds
WAITING = 16
"""Visitors' requests that may wait; more are told to come back later."""


def build() -> gr.Blocks:
    """The page with all tabs."""
    with gr.Blocks(title="vqaudio", analytics_enabled=False, delete_cache=(CLEAN_EVERY, outputs.KEEP_SECONDS)) as page:
        gr.Markdown(WELCOME, elem_classes="masthead")
        for name in TABS:
            tab = importlib.import_module(f"demo.tabs.{name}")
            with gr.Tab(tab.TITLE, id=name):
                tab.build(page)
        page.unload(work.stop())
    return page.queue(max_size=WAITING, api_open=False)


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
        css_paths=Path(__file__).with_name("style.css"),
        footer_links=["api", "settings"],
        run_history=False,
        ssr_mode=False,
        app_kwargs={"middleware": [Middleware(guard.Guard)]},
        quiet=True,
        prevent_thread_lock=True,
    )
    if url is not None:  # None where Gradio only reads this file again, to reload a page that is served already
        print(f"The demo is at {url}", flush=True)
        page.block_thread()


if __name__ == "__main__":
    demo = build()  # the name that Gradio looks for when it reloads
    launch(demo)
