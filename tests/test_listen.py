"""The page to listen to, from the command line to its files."""

from __future__ import annotations

import base64
import html.parser
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import soundfile
from judged import SAMPLE_RATE, speech
from tools import MODEL, tiny_codec

from vqaudio.listen import main

HOSTILE = "a <b>\"&' ü.wav"


class Tags(html.parser.HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [attributes[attribute] for name, attributes in self.tags if name == tag]


@pytest.fixture
def folder(tmp_path):
    """A folder of two clips, one of them with a name that could break a page."""
    clips = tmp_path / "clips"
    clips.mkdir()
    soundfile.write(clips / HOSTILE, speech(2.2), SAMPLE_RATE)
    soundfile.write(clips / "b.flac", speech(3.0, 8000), 8000)
    return clips


def listen(*arguments: object) -> int:
    return main([*map(str, arguments), "--model", str(MODEL), "--peers", "none"])


def desks(path: Path) -> list[dict[str, Any]]:
    """The data of the desks on a page."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', text)]


def sound(take: dict[str, Any]) -> Any:
    """The samples and the rate of a take within a page."""
    return soundfile.read(io.BytesIO(content(take["sound"], "audio/flac")))


def content(address: str, kind: str) -> bytes:
    """What an address holds."""
    head, data = address.split(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(data)


def test_every_clip_can_be_heard_and_seen(folder, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert listen(folder, out, "--codebooks", "1,4") == 0
    assert capsys.readouterr().out == f"{out}\n"
    page = Tags(out.read_text(encoding="utf-8"))
    assert page.all("html", "lang") == ["en"]
    for text in ("tiny, 1 codebook", "tiny, 4 codebooks", "PESQ-WB", "STOI", "kb/s"):
        assert text in page.text
    first, second = desks(out)
    for desk, seconds in ((first, 2.2), (second, 3.0)):
        assert [take["group"] for take in desk["takes"]] == ["original", "own", "own"]
        assert [len(sound(take)[0]) / sound(take)[1] for take in desk["takes"]] == [seconds] * 3
        pictures = [json.loads(content(take["picture"], "application/json")) for take in desk["takes"]]
        assert all(picture["mel"]["frames"] for picture in pictures)
        assert [len(picture["tokens"]["codes"]) for picture in pictures[1:]] == [1, 4]
    original, _, decoded = first["takes"]
    assert abs(sound(original)[0] - speech(2.2)).max() < 1e-4
    assert abs(sound(original)[0] - sound(decoded)[0]).max() > 1e-2
    data = content(decoded["download"], "application/octet-stream")
    assert len(data) == decoded["bytes"]
    assert tiny_codec().decompress(data)[0].shape == (1, round(2.2 * SAMPLE_RATE))


def test_names_are_text_and_nothing_else(folder, tmp_path):
    out = tmp_path / "page.html"
    assert listen(folder, out, "--codebooks", "1") == 0
    page = Tags(out.read_text(encoding="utf-8"))
    assert "b" not in {tag for tag, _ in page.tags}
    assert desks(out)[0]["title"] == f"{HOSTILE}, 2.2 s"


def test_a_page_asks_for_nothing_from_elsewhere(folder, tmp_path):
    out = tmp_path / "page.html"
    assert listen(folder, out, "--codebooks", "1") == 0
    tags = Tags(out.read_text(encoding="utf-8")).tags
    assert not [attributes for _, attributes in tags if {"src", "href"} & set(attributes)]


def test_an_earlier_page_is_replaced_and_nothing_else(folder, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert listen(folder, out, "--codebooks", "1") == 0
    assert listen(folder, out, "--codebooks", "1", "--limit", "1") == 0
    assert len(desks(out)) == 1
    out.write_text("my own page")
    capsys.readouterr()
    assert listen(folder, out) == 1
    expected = f"error: {out}: is there already and is no earlier page; name another file\n"
    assert capsys.readouterr().err == expected
    assert out.read_text() == "my own page"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "page.html"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing", "out.html"), "missing: no such folder"),
        (("clips", "out.html", "--min-seconds", "60"), "all 2 recordings are shorter than 60 s"),
        (("clips", "out.html", "--codebooks", "5"), "--codebooks 5: the model tiny has 4"),
        (("clips", "out"), "out: expected a name that ends in .html"),
        (("clips", "missing/out.html", "--codebooks", "1", "--quiet"), "missing/out.html: its folder does not exist"),
    ],
)
def test_bad_arguments_are_one_line(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder.parent)
    assert listen(*arguments) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert message in error
    assert "\n" not in error
    assert not Path("out.html").exists()
