"""Figures as tiles on the page, and as a list of objects to callers of the API."""

from __future__ import annotations

from typing import TypedDict

import gradio as gr

TEMPLATE = """
<div class="facts">{{#each value}}
<div class="fact"><span class="name">{{this.name}}</span><span class="figure">{{this.figure}}</span>
<span class="note">{{this.note}}</span></div>{{/each}}</div>
"""


class Fact(TypedDict):
    """A name, a figure with its unit, and what to make of it."""

    name: str
    figure: str
    note: str


def fact(name: str, figure: str, note: str = "") -> Fact:
    """One tile."""
    return {"name": name, "figure": figure, "note": note}


def tiles(name: str) -> gr.HTML:
    """A place for a list of facts, called so in the API; the browser fills the template and escapes what it gets."""
    return gr.HTML([], label=name, html_template=TEMPLATE, js_on_load=None, elem_classes="tiles")
