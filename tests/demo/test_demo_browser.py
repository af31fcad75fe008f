"""The demo in Debian's Chromium: every tab is driven, and pictures of it are kept.

They go to ``$VQAUDIO_SCREENSHOTS``, else to pytest's temporary folder.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_server import ROOT, Served, save_voices, serving
from tools import MODEL, tiny_codec

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[test]'")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt install chromium"),
]

VOWELS = ROOT / "examples" / "vowels.wav"
PATIENCE = 90_000  # ms, on a machine that is busy with other tests
FLAGS = ("--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")


STOP_WHILE_SAMPLING = """() => new Promise(resolve => {
    const tab = [...document.querySelectorAll('[role=tabpanel]')].find(panel => panel.offsetParent)
    const press = name => [...tab.querySelectorAll('button')].find(one => one.textContent.trim() === name).click()
    const watch = new MutationObserver(() => {
        if (tab.textContent.includes('sampling codes')) { watch.disconnect(); press('Stop'); resolve() }
    })
    watch.observe(tab, {childList: true, subtree: true, characterData: true})
    press('Sample')
})"""
"""Within the page, since sampling takes a second or two, which a busy machine may need for a click from outside."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("demo")
    voices = save_voices(folder / "voices.safetensors")
    with serving(folder / "temporary", "--model", str(MODEL), "--model", str(voices)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class Visit:
    """A visitor's window, with short words for what a visitor does; only what the open tab shows is found."""

    def __init__(self, page: Any, served: Served, shots: Path):
        self.page, self.shots = page, shots
        self.hosts: set[str] = set()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.goto(served.url)
        self.tab = page.locator("[role=tabpanel]:visible")
        page.get_by_role("tab", name="Reconstruct").wait_for()

    def open(self, name: str) -> None:
        """Click a tab; on a narrow window, the last ones are in a menu."""
        tab = self.page.get_by_role("tab", name=name)
        if not tab.is_visible():
            self.page.get_by_role("button", name="More tabs").click()
            tab = self.page.locator(".overflow-dropdown").get_by_role("button", name=name)
        tab.click()

    def press(self, name: str) -> None:
        self.tab.get_by_role("button", name=name, exact=True).click()

    def upload(self, path: Path, where: str = "Recording, up to 60 s") -> None:
        place = self.tab.locator(".block").filter(has=self.page.get_by_text(where, exact=True))
        place.locator("input[type=file]").first.set_input_files(path)

    def players(self, count: int) -> None:
        """Wait until the open tab has so many players with a sound."""
        playwright.expect(self.tab.get_by_label("Play", exact=True)).to_have_count(count)

    def figure(self, name: str) -> str:
        """The figure in a tile."""
        tile = self.tab.locator(".fact").filter(has=self.page.get_by_text(name, exact=True))
        return str(tile.locator(".figure").inner_text())

    def shot(self, name: str) -> None:
        self.page.wait_for_timeout(700)  # waveforms are drawn late
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)


@pytest.fixture
def visit(served: Served, browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Visit]:
    shots = Path(os.environ.get("VQAUDIO_SCREENSHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    options = {"viewport": {"width": 1280, "height": 900}} | getattr(request, "param", {})
    context = browser.new_context(**options)
    yield Visit(context.new_page(), served, shots)
    context.close()


# ---------------------------------------------------------------------------------------------------------- reconstruct


def test_a_recording_is_uploaded_coded_slid_played_and_taken_away(visit, served):
    visit.upload(VOWELS)
    visit.players(1)
    visit.press("Encode and decode")
    visit.players(3)
    first = visit.figure("this file")
    visit.shot("reconstruct")

    visit.tab.get_by_role("slider").evaluate("(it) => { it.value = 1; it.dispatchEvent(new Event('input')) }")
    visit.tab.get_by_role("slider").dispatch_event("pointerup")
    playwright.expect(visit.tab.locator(".fact .figure").first).not_to_have_text(first)
    playwright.expect(visit.tab.locator(".rate").first).to_contain_text("0.30 kb/s")  # one codebook of 64 at 50 Hz

    decoded = visit.tab.locator(".block").filter(has=visit.page.get_by_text("Decoded", exact=True)).first
    decoded.get_by_label("Play", exact=True).click()
    decoded.get_by_label("Pause").wait_for()

    with visit.page.expect_download() as download:
        visit.press("Download the .vq file")
    path = Path(download.value.path())
    assert download.value.suggested_filename == "vowels-1-of-4.vq"
    assert len(tiny_codec().decompress(path.read_bytes())[0][0]) == 47200
    assert visit.hosts == {served.url.split("/")[2]}, "the page asked for something from elsewhere"


def test_a_broken_upload_is_told_in_a_sentence(visit, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    visit.upload(tmp_path / "broken.wav")
    toast = visit.page.get_by_test_id("toast-body").first
    playwright.expect(toast).to_contain_text("broken.wav: is not a sound file")
    visit.shot("error")
    visit.page.get_by_test_id("toast-close").first.click()
    assert "Traceback" not in visit.page.content()


@pytest.mark.slow
def test_scores_are_measured_on_request(visit):
    visit.upload(VOWELS)
    visit.players(1)
    visit.press("Encode and decode")
    visit.players(3)
    visit.press("Measure PESQ and STOI")
    visit.tab.get_by_text("STOI", exact=True).wait_for()
    assert 0 <= float(visit.figure("STOI")) <= 1
    assert 1 <= float(visit.figure("PESQ-WB")) <= 4.64


@pytest.mark.slow
def test_a_vq_file_is_dropped_and_heard(visit, tmp_path):
    wav, rate = tiny_codec().decompress((ROOT / "tests" / "golden" / "tiny.vq").read_bytes())
    assert wav.shape[1] / rate > 0
    visit.upload(ROOT / "tests" / "golden" / "tiny.vq", ".vq file")
    visit.players(1)
    assert visit.figure("sound") == f"{wav.shape[1] / rate:.2f} s"
    visit.shot("vq-file")


@pytest.mark.slow
def test_an_example_and_the_microphone_are_recordings_too(visit):
    visit.tab.get_by_text("Sung vowels, made by rule").click()
    visit.players(1)
    visit.tab.get_by_label("Clear").first.click()
    visit.tab.get_by_label("Record audio").first.click()
    visit.tab.get_by_role("button", name="Record", exact=True).click()
    visit.page.wait_for_timeout(1500)
    visit.tab.get_by_role("button", name="Stop", exact=True).first.click()
    visit.players(1)
    visit.page.wait_for_timeout(2000)  # it can be heard before it has been uploaded
    visit.press("Encode and decode")
    visit.players(3)


# ------------------------------------------------------------------------------------------------------- the other tabs


@pytest.mark.slow
def test_new_sound_is_sampled(visit):
    visit.open("Sample")
    visit.press("Sample")
    visit.players(2)
    visit.shot("sample")


@pytest.mark.slow
def test_a_text_is_said_by_a_model_that_knows_its_words(visit):
    visit.open("Sample")
    assert not visit.tab.get_by_label("Say").is_visible()
    visit.tab.get_by_label("Model", exact=True).click()
    visit.page.get_by_role("option", name="digits").click()
    visit.tab.get_by_label("Say").fill("Three, one!")
    visit.press("Sample")
    visit.players(2)
    visit.shot("say")
    visit.tab.get_by_label("Say").fill("eleven")
    visit.press("Sample")
    visit.page.get_by_text("the word 'eleven' is not known").wait_for()


@pytest.mark.slow
def test_sampling_is_stopped(visit):
    visit.open("Sample")
    for name, value in (("Seconds", 10), ("How many at once", 4)):
        visit.tab.get_by_label(f"number input for {name}").fill(str(value))
        visit.page.keyboard.press("Tab")
    visit.page.evaluate(STOP_WHILE_SAMPLING)
    playwright.expect(visit.tab.get_by_text("sampling codes")).to_have_count(0)
    visit.players(0)
    visit.open("Convert")  # which works at once: nothing runs on unseen
    visit.upload(VOWELS)
    visit.players(1)
    visit.press("Convert")
    visit.players(3)


@pytest.mark.slow
def test_a_voice_is_converted(visit):
    visit.open("Convert")
    visit.upload(VOWELS)
    visit.players(1)
    visit.press("Convert")
    visit.players(3)
    visit.shot("convert")


@pytest.mark.slow
def test_a_look_inside(visit):
    visit.open("Look inside")
    visit.upload(VOWELS)
    visit.players(1)
    visit.press("Look")
    visit.tab.get_by_text("perplexity").wait_for()
    assert visit.figure("codes used").endswith(" of 64")
    visit.shot("inside")


@pytest.mark.slow
def test_a_table_is_compressed_and_opened_again(visit, tmp_path):
    visit.open("Series")
    visit.tab.get_by_text("A greenhouse for two weeks").click()
    visit.tab.get_by_text("greenhouse", exact=True).wait_for()
    visit.press("Compress")
    visit.tab.get_by_text("this .vq file", exact=True).wait_for()
    within = visit.figure("this .vq file")
    assert visit.figure("largest error") == "100% of the bound"
    visit.tab.locator(".picture img").wait_for()
    visit.shot("series")
    with visit.page.expect_download() as download:
        visit.press("Download the .vq file")
    packed = tmp_path / download.value.suggested_filename
    download.value.save_as(packed)
    assert within == f"{packed.stat().st_size:,} bytes"

    visit.upload(packed, ".vq file with a table")
    visit.tab.get_by_text("2,016 rows", exact=True).wait_for()
    with visit.page.expect_download() as download:
        visit.press("Download the table")
    assert download.value.suggested_filename == "greenhouse.csv"
    with visit.page.expect_download() as decoded:
        visit.press("Download the decoded CSV")
    assert Path(download.value.path()).read_bytes() == Path(decoded.value.path()).read_bytes()

    visit.tab.get_by_label("Lossless").check()
    visit.press("Compress")
    playwright.expect(visit.tab.locator(".fact .figure").first).not_to_have_text(within)
    assert visit.figure("largest error") == "none"

    (tmp_path / "broken.npz").write_bytes(b"nonsense")
    visit.tab.get_by_label("Clear").first.click()
    visit.upload(tmp_path / "broken.npz", "Table, up to 400,000 cells")
    playwright.expect(visit.page.get_by_test_id("toast-body").first).to_contain_text(
        "broken.npz: cannot be read as .npz"
    )


LOOKS = {
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
    "small-phone-dark": {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
}


@pytest.mark.slow
@pytest.mark.parametrize(("visit", "name"), [(look, name) for name, look in LOOKS.items()], indirect=["visit"])
def test_every_tab_fits_its_window(visit, name):
    """Nothing is wider than the window, in any tab, before and after a result."""
    visit.upload(VOWELS)
    visit.players(1)
    visit.press("Encode and decode")
    visit.players(3)
    for tab in ("Reconstruct", "Sample", "Convert", "Look inside", "Series"):
        visit.open(tab)
        visit.shot(f"{name}-{re.sub(' ', '-', tab.lower())}")
        wide = visit.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0
