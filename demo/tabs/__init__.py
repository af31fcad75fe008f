"""The tabs, each in a module of its name with ``TITLE`` and ``build``; a new one needs its file and a line here."""

from __future__ import annotations

TABS = (
    "reconstruct",
    "sample",
    "convert",
    "inside",
    "series",
)
