"""The tabs, each in a module of its name with ``TITLE`` and ``build``; a new one needs its file and a line here."""

from __future__ import annotations

TABS = (
    "compress",
    "invent",
    "voice",
    "inside",
    "tables",
)
"""Names of the modules, and of the tabs in the page's address: ``?tab=invent``."""
