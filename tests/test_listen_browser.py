"""The page to listen to in Debian's Chromium, from the disk: one file, no server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from browser import NO_CHROMIUM, PATIENCE, barriers, chromium, overflow, playwright
from judged import SAMPLE_RATE, speech
from tools import MODEL

from vqaudio.listen import main

pytestmark = NO_CHROMIUM


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listen")
    clips = folder / "clips"
    clips.mkdir()
    for name in "ab":
        soundfile.write(clips / f"{name}.wav", speech(2.0), SAMPLE_RATE)
    out = folder / "page.html"
    assert main([str(clips), str(out), "--model", str(MODEL), "--peers", "none", "--codebooks", "1,4"]) == 0
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}])
def test_a_page_is_heard_and_seen_from_the_disk(page_file, browser, tmp_path, look):
    page = browser.new_page(**look)
    page.set_default_timeout(PATIENCE)
    faults, asked = [], []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    desks = page.locator("section.desk")
    assert desks.count() == 2
    playwright.expect(desks.first.locator(".rail button:not([disabled])")).to_have_count(3)
    desks.first.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.seek').value > 0.2")
    page.keyboard.press("3")
    assert "kb/s" in desks.first.locator("[aria-pressed=true]").inner_text()
    desks.last.scroll_into_view_if_needed()  # which is made only now
    playwright.expect(desks.last.locator(".rail button:not([disabled])")).to_have_count(3)
    desks.last.get_by_role("button", name="Play").click()
    assert desks.first.get_by_role("button", name="Play").is_visible()  # only one sounds at a time
    assert overflow(page) <= 0
    assert not barriers(page)
    assert not faults
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    shots = Path(os.environ.get("VQAUDIO_SCREENSHOTS", tmp_path))
    page.screenshot(path=shots / f"listen{'-phone-dark' if look else ''}.png", full_page=True)
    page.close()
