"""The demo in Debian's Chromium: desk and tabs are driven, by mouse and by keys, and pictures of them are kept.

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
from browser import NO_CHROMIUM, PATIENCE, barriers, chromium, overflow, playwright
from demo_server import ROOT, Served, save_voices, serving
from tools import MODEL, tiny_codec

pytest.importorskip("gradio", reason="the demo needs gradio: pip install '.[demo]'")
pytestmark = [pytest.mark.filterwarnings("default"), NO_CHROMIUM]

VOWELS = ROOT / "examples" / "vowels.wav"
STOP_AT_ONCE = """() => new Promise(resolve => {
    const tab = [...document.querySelectorAll('[role=tabpanel]')].find(panel => panel.offsetParent)
    const stop = tab.querySelector('[data-does=stop]')
    const watch = new MutationObserver(() => {
        if (!stop.hidden) { watch.disconnect(); stop.click(); resolve() }
    })
    watch.observe(stop, {attributes: true})
    const press = name => [...tab.querySelectorAll('button')].find(one => one.textContent.trim() === name).click()
    press('Invent')
})"""
"""Within the page, since inventing takes a second or two, which a busy machine may need for a click from outside."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("demo")
    voices = save_voices(folder / "voices.safetensors")
    with serving(folder / "temporary", "--model", str(MODEL), "--model", str(voices)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


class Visit:
    """A visitor's window, with short words for what a visitor does; only what the open tab shows is found."""

    def __init__(self, page: Any, served: Served, shots: Path):
        self.page, self.served, self.shots = page, served, shots
        self.hosts: set[str] = set()
        self.faults: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab = page.locator("[role=tabpanel]:visible")
        self.rail = self.tab.locator(".rail button")
        self.go()

    def go(self, tab: str = "") -> None:
        """Open the page, or one of its tabs by its address."""
        self.page.goto(self.served.url + (f"?tab={tab}" if tab else ""))
        playwright.expect(self.page.locator(".bar .chosen strong")).not_to_be_empty()

    def open(self, name: str) -> None:
        """Click a tab; on a narrow window, the last ones are in a menu."""
        tab = self.page.get_by_role("tab", name=name)
        if not tab.is_visible():
            self.page.get_by_role("button", name="More tabs").click()
            tab = self.page.locator(".overflow-dropdown").get_by_role("button", name=name)
        tab.click()

    def press(self, name: str) -> None:
        self.tab.get_by_role("button", name=name, exact=True).click()

    def bring(self, path: Path) -> None:
        """Upload a recording."""
        self.page.locator(".bar input[type=file]").set_input_files(path)
        playwright.expect(self.page.locator(".bar .chosen strong")).to_have_text(path.name)

    def takes(self, count: int) -> None:
        """Wait until the open tab's desk has so many takes that can be played, and waits for no others."""
        playwright.expect(self.tab.locator(".rail button.waiting")).to_have_count(0)
        playwright.expect(self.tab.locator(".rail button:not([disabled])")).to_have_count(count)

    def chosen(self) -> str:
        """The name of the take that is heard."""
        return str(self.tab.locator(".rail [aria-pressed=true] .name").inner_text())

    def place(self) -> float:
        """Where the playhead is, in seconds."""
        return float(self.tab.locator(".time").inner_text().split(" / ")[0])

    def figure(self, name: str) -> str:
        """The figure in a tile."""
        tile = self.tab.locator(".fact").filter(has=self.page.get_by_text(name, exact=True))
        return str(tile.locator(".figure").inner_text())

    def shot(self, name: str) -> None:
        self.page.wait_for_timeout(300)  # pictures are drawn late
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)


@pytest.fixture
def visit(served: Served, browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Visit]:
    shots = Path(os.environ.get("VQAUDIO_SCREENSHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    options = {"viewport": {"width": 1280, "height": 900}} | getattr(request, "param", {})
    context = browser.new_context(**options)
    visit = Visit(context.new_page(), served, shots)
    yield visit
    context.close()
    assert not visit.faults


OWN = 5  # the original and four rates of the tiny model
PEERS = 2 * (shutil.which("opusenc") is not None) + (shutil.which("c2enc") is not None)


# ------------------------------------------------------------------------------------------------------------- the desk


def test_a_recording_is_there_at_once_and_is_heard_at_every_rate(visit, served):
    """Without a click, and each rate with the size of its file; the takes go on where the one before them was."""
    visit.takes(OWN + PEERS)
    sizes = [text.split("\n")[1] for text in visit.rail.all_inner_texts()[1:OWN]]
    assert sizes == sorted(sizes, key=lambda size: int(size.split()[0].replace(",", "")))
    visit.press("Play")
    visit.tab.get_by_role("button", name="Pause").wait_for()
    visit.page.wait_for_function("document.querySelector('.seek').value > 0.3")
    before = visit.place()
    visit.page.keyboard.press("2")
    assert "kb/s" in visit.chosen()
    assert visit.place() >= before
    visit.page.keyboard.press(" ")
    visit.tab.get_by_role("button", name="Play").wait_for()
    visit.shot("compress")
    assert visit.hosts <= {served.url.split("/")[2], ""}, "the page asked for something from elsewhere"


def test_the_file_that_is_offered_is_the_one_that_is_told(visit):
    visit.bring(VOWELS)
    visit.takes(OWN + PEERS)
    visit.rail.nth(2).click()
    said = visit.rail.nth(2).inner_text()
    with visit.page.expect_download() as download:
        visit.tab.get_by_text("Download the .vq file").click()
    data = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename == "vowels-2-of-4.vq"
    assert f"{len(data):,} bytes" in said
    assert len(tiny_codec().decompress(data)[0][0]) == 47200


def test_the_desk_obeys_pointer_and_keys(visit):
    visit.bring(VOWELS)
    visit.takes(OWN + PEERS)
    canvas = visit.tab.locator(".stack canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": 54 + (box["width"] - 54) / 2, "y": 30})
    middle = visit.place()
    assert 1.3 < middle < 1.7  # of 2.95 s
    visit.page.keyboard.press("ArrowLeft")
    assert abs(visit.place() - middle + 1) <= 0.11
    canvas.hover(position={"x": 300, "y": 230})
    assert "token" in visit.tab.locator(".readout").inner_text()
    with visit.page.expect_response(lambda answer: answer.url.endswith("token.wav")):
        canvas.click(position={"x": 300, "y": 230})  # a token is heard by itself, without the playhead going on
    place = visit.place()
    visit.page.wait_for_timeout(300)
    assert visit.place() == place
    box = canvas.bounding_box()  # the page may have scrolled to it
    visit.page.mouse.move(box["x"] + 200, box["y"] + 40)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + 400, box["y"] + 40, steps=4)
    visit.page.mouse.up()
    visit.tab.get_by_role("button", name="Play all of it").wait_for()
    visit.press("Play")
    visit.page.wait_for_timeout(1500)  # over and over between the two ends
    assert visit.tab.get_by_role("button", name="Pause").is_visible()
    visit.page.keyboard.press("Escape")
    visit.press("Pause")
    assert "spectrogram" in canvas.get_attribute("aria-label")


def test_a_blind_test_tells_nothing_and_counts(visit):
    visit.takes(OWN + PEERS)
    visit.press("Blind test")
    assert not visit.tab.locator(".rail").is_visible()
    assert not visit.tab.locator(".stack").is_visible()
    for letter in "AXBX":
        visit.page.keyboard.press(letter.lower())
        assert visit.tab.locator(f"[data-letter={letter}]").get_attribute("aria-pressed") == "true"
    visit.press("X is A")
    visit.press("X is B")
    playwright.expect(visit.tab.locator(".score")).to_contain_text("of 2 right")
    visit.shot("blind")
    visit.press("End the blind test")
    assert visit.tab.locator(".rail").is_visible()


def test_a_broken_upload_is_told_in_a_sentence_and_changes_nothing(visit, tmp_path):
    visit.takes(OWN + PEERS)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nonsense")
    visit.page.locator(".bar input[type=file]").set_input_files(tmp_path / "broken.wav")
    toast = visit.page.get_by_test_id("toast-body").first
    playwright.expect(toast).to_contain_text("broken.wav: is not a sound file")
    visit.shot("error")
    visit.page.get_by_test_id("toast-close").first.click()
    assert "Traceback" not in visit.page.content()
    visit.takes(OWN + PEERS)


@pytest.mark.slow
def test_a_vq_file_is_dropped_on_the_page_and_heard(visit):
    path = ROOT / "tests" / "golden" / "tiny.vq"
    data = visit.page.evaluate_handle(
        """([name, bytes]) => {
            const data = new DataTransfer()
            data.items.add(new File([new Uint8Array(bytes)], name))
            return data
        }""",
        [path.name, list(path.read_bytes())],
    )
    visit.page.dispatch_event("body", "drop", {"dataTransfer": data})
    playwright.expect(visit.page.locator(".bar .chosen strong")).to_have_text("tiny.vq")
    playwright.expect(visit.page.locator(".bar .note")).to_contain_text(f"{path.stat().st_size:,} bytes")
    visit.takes(OWN + PEERS)


@pytest.mark.slow
def test_the_microphone_brings_a_recording(visit):
    record = visit.page.locator(".bar .record")
    record.click()
    playwright.expect(record).to_contain_text("Stop recording, 1 s")
    record.click()
    playwright.expect(visit.page.locator(".bar .chosen strong")).to_contain_text("recording.webm")
    visit.takes(OWN + PEERS)


@pytest.mark.slow
def test_scores_are_measured_on_request(visit):
    visit.bring(VOWELS)
    visit.takes(OWN + PEERS)
    visit.press("Measure PESQ and STOI")
    facts = visit.tab.locator(".facts-line")
    playwright.expect(facts).to_contain_text("STOI")
    found = dict(zip(facts.locator("dt").all_inner_texts(), facts.locator("dd").all_inner_texts(), strict=True))
    assert 0 <= float(found["STOI"]) <= 1
    assert 1 <= float(found["PESQ-WB"]) <= 4.64


@pytest.mark.slow
def test_only_one_thing_sounds_at_a_time(visit):
    visit.takes(OWN + PEERS)
    visit.press("Play")
    visit.open("Look inside")
    visit.takes(2)
    visit.press("Play")
    visit.open("Compress")
    assert visit.tab.get_by_role("button", name="Play").is_visible()


# ------------------------------------------------------------------------------------------------------- the other tabs


@pytest.mark.slow
def test_tabs_have_addresses_and_share_the_recording(visit):
    visit.go("inside")
    visit.takes(2)
    visit.open("Change voice")
    assert visit.page.url.endswith("?tab=voice")
    visit.press("bob")
    visit.takes(2)
    assert "bob" in visit.tab.locator(".headline").inner_text()
    visit.bring(VOWELS)  # what was made of the other recording goes, and this one is converted
    playwright.expect(visit.tab.locator(".headline")).to_contain_text("vowels.wav")
    visit.shot("voice")


@pytest.mark.slow
def test_new_sound_is_invented_and_marked_when_it_is_old(visit):
    visit.open("Invent")
    visit.press("Invent")
    visit.takes(2)
    visit.shot("invent")
    old = visit.tab.locator(".old")
    assert old.inner_text() == ""
    visit.tab.get_by_label("Go on from the recording above").check()
    playwright.expect(old).to_contain_text("other settings")


@pytest.mark.slow
def test_a_text_is_said_by_a_model_that_knows_its_words(visit):
    visit.open("Invent")
    visit.tab.get_by_label("Model", exact=True).click()
    visit.page.get_by_role("option", name="speech-16k-v4").click()
    playwright.expect(visit.tab.get_by_label("Say")).to_have_count(0)
    visit.tab.get_by_label("Model", exact=True).click()
    visit.page.get_by_role("option", name="digits").click()
    visit.tab.get_by_label("Say").fill("Three, one!")
    visit.tab.get_by_role("button", name="Theo", exact=False).first.click()
    visit.press("Invent")
    visit.takes(2)
    assert "theo" in visit.chosen()
    visit.shot("say")
    visit.tab.get_by_label("Say").fill("eleven")
    visit.press("Invent")
    visit.page.get_by_text("the word 'eleven' is not known").wait_for()


@pytest.mark.slow
def test_a_voice_is_heard_before_it_is_chosen(visit):
    visit.open("Invent")
    with visit.page.expect_response(lambda answer: "file=" in answer.url and answer.url.endswith(".wav")):
        visit.tab.get_by_role("button", name=re.compile("^Hear")).first.click()


@pytest.mark.slow
def test_inventing_is_stopped(visit):
    visit.open("Invent")
    visit.tab.get_by_label("Model", exact=True).click()
    visit.page.get_by_role("option", name="speech-16k-v4").click()
    for name, value in (("Seconds", 10), ("How many", 4)):
        visit.tab.get_by_label(f"number input for {name}").fill(str(value))
        visit.page.keyboard.press("Tab")
    visit.page.evaluate(STOP_AT_ONCE)
    playwright.expect(visit.tab.locator(".rail button.waiting")).to_have_count(0)
    visit.open("Change voice")  # which works at once: nothing runs on unseen
    visit.press("ann")
    visit.takes(2)


@pytest.mark.slow
def test_a_table_is_compressed_and_opened_again(visit, tmp_path):
    visit.open("Tables")  # with a table that is there already
    visit.tab.get_by_text("this .vq file", exact=True).wait_for()
    within = visit.figure("this .vq file")
    assert visit.figure("largest error") == "100% of the bound"
    picture = visit.tab.locator(".picture svg")
    picture.wait_for()
    assert "4 columns" in picture.get_attribute("aria-label")
    visit.shot("tables")
    with visit.page.expect_download() as download:
        visit.press("Download the .vq file")
    packed = tmp_path / download.value.suggested_filename
    download.value.save_as(packed)
    assert within == f"{packed.stat().st_size:,} bytes"

    place = visit.tab.locator(".block").filter(has=visit.page.get_by_text(".vq file with a table", exact=True))
    place.locator("input[type=file]").set_input_files(packed)
    visit.tab.get_by_text("2,016 rows", exact=True).wait_for()
    with visit.page.expect_download() as download:
        visit.press("Download the table")
    assert download.value.suggested_filename == "greenhouse.csv"
    with visit.page.expect_download() as decoded:
        visit.press("Download the decoded CSV")
    assert Path(download.value.path()).read_bytes() == Path(decoded.value.path()).read_bytes()

    visit.tab.get_by_label("Lossless").check()
    playwright.expect(visit.tab.get_by_text("none", exact=True)).to_be_visible()
    assert visit.figure("this .vq file") != within
    playwright.expect(visit.tab.get_by_role("button", name="Stop")).to_have_count(0)

    (tmp_path / "broken.npz").write_bytes(b"nonsense")
    visit.tab.get_by_label("Clear").first.click()
    place = visit.tab.locator(".block").filter(has=visit.page.get_by_text("Table, up to 400,000 cells", exact=True))
    place.locator("input[type=file]").set_input_files(tmp_path / "broken.npz")
    playwright.expect(visit.page.get_by_test_id("toast-body").first).to_contain_text(
        "broken.npz: cannot be read as .npz"
    )


# ------------------------------------------------------------------------------------------------------------ everybody


TABS = ("Compress", "Invent", "Change voice", "Look inside", "Tables")
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
    "small-phone-dark": {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
}


@pytest.mark.slow
@pytest.mark.parametrize(("visit", "name"), [(look, name) for name, look in LOOKS.items()], indirect=["visit"])
def test_every_tab_fits_its_window_and_everybody(visit, name):
    """Nothing is wider than the window, and axe-core finds nothing serious, in any tab with a result."""
    visit.takes(OWN + PEERS)
    for tab in TABS:
        visit.open(tab)
        if tab == "Change voice":
            visit.press("bob")
        if tab in ("Change voice", "Look inside"):
            visit.takes(2)
        if tab == "Tables":
            visit.tab.locator(".picture svg").wait_for()
        visit.shot(f"{name}-{re.sub(' ', '-', tab.lower())}")
        assert overflow(visit.page) <= 0
        assert not barriers(visit.page)


@pytest.mark.slow
@pytest.mark.parametrize("visit", [LOOKS["phone"]], indirect=True)
def test_on_a_phone_what_is_compared_stays_on_one_screen(visit):
    visit.takes(OWN + PEERS)
    top = visit.tab.locator(".play").bounding_box()["y"]
    last = visit.rail.last.bounding_box()
    assert last["y"] + last["height"] - top < 844 / 2
