"""The listening desk: takes of a sound side by side, in the browser demo and on pages that need no server.

::

    data.py                          what a take shows, as JSON: its spectrogram, tokens and bits
    player.js, blind.js              sounds that take turns in place; the blind test
    pictures.js ─▶ rows.js ─▶ stack.js    what is seen of a take, on one axis of time
    words.js ─▶ markup.js, keys.js ─▶ desk.js    all of it as one element of a page, which desk.css styles

The scripts are plain ones without imports, joined in one function by :func:`script`; ``vqaudioDesk(element)`` makes a
desk of an element and returns it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PARTS = (
    "words.js",
    "player.js",
    "blind.js",
    "pictures.js",
    "rows.js",
    "stack.js",
    "markup.js",
    "keys.js",
    "desk.js",
)


@cache
def script() -> str:
    """All of the desk's JavaScript."""
    parts = "\n".join((HERE / name).read_text(encoding="utf-8") for name in PARTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


@cache
def style() -> str:
    """Its style sheet, with the colours of a light and of a dark page."""
    return (HERE / "desk.css").read_text(encoding="utf-8")
