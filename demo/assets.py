"""What the page's own elements are made of: the scripts and styles in ``page/``, and those of the listening desk."""

from __future__ import annotations

from pathlib import Path

from vqaudio.evaluation import desk

HERE = Path(__file__).parent / "page"
SCRIPTS = ("bar.js", "voices.js", "page.js")


def head() -> str:
    """What stands in the page's head, before any element is made."""
    parts = [desk.script(), *((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)]
    return "\n".join(f"<script>{part}</script>" for part in parts)


def style() -> str:
    """All style sheets."""
    return desk.style() + (HERE / "style.css").read_text(encoding="utf-8")


def mount(function: str, *events: str) -> str:
    """The script by which Gradio makes an element of ours: a function in ``page/`` that may trigger ``events``."""
    names = ", ".join(f'"{event}"' for event in events)
    return f"{function}({{ element, trigger, props, upload, watch, server, events: [{names}] }});"
