"""Debian's Chromium, as tests drive it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[test]'")
CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt install chromium")
PATIENCE = 60_000  # ms, on a machine that is busy with other tests
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
AXE = next(
    (
        path
        for folder in os.environ.get("NODE_PATH", "").split(os.pathsep)
        if (path := Path(folder, "axe-core", "axe.min.js")).is_file()
    ),
    None,
)
"""Who checks whether everybody can use a page: the npm package axe-core."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser that waits patiently."""
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def barriers(page: Any) -> list[tuple[str, list[str]]]:
    """What axe-core finds serious or critical on a page, and the elements concerned; nothing where it is not here."""
    if AXE is None:
        return []
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run()")["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in serious]


def overflow(page: Any) -> int:
    """By how many pixels a page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
