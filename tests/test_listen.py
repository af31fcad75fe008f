"""The page to listen to, from the command line to its files."""

from __future__ import annotations

import html.parser
from pathlib import Path

import pytest
import soundfile
from judged import SAMPLE_RATE, speech
from tools import MODEL

from vqaudio.errors import FileError
from vqaudio.evaluation.page import MARK, new_folder
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


def test_every_clip_can_be_heard_and_seen(folder, tmp_path, capsys):
    out = tmp_path / "page"
    assert listen(folder, out, "--codebooks", "1,4") == 0
    assert capsys.readouterr().out == f"{out / 'index.html'}\n"
    page = Tags((out / "index.html").read_text(encoding="utf-8"))
    players, pictures = page.all("audio", "src"), page.all("img", "src")
    assert len(players) == len(pictures) == len(set(players)) == 2 * 3
    names = {path.name for path in out.iterdir()}
    assert names == {"index.html", *players, *pictures}
    lengths = [soundfile.info(out / name).duration for name in players]
    assert lengths == [2.2] * 3 + [3.0] * 3
    for name in pictures:
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    first, decoded = (soundfile.read(out / name)[0] for name in players[:2])
    assert abs(first - speech(2.2)).max() < 1e-4
    assert abs(first - decoded).max() > 1e-2
    assert page.all("html", "lang") == ["en"]
    assert all(page.all("audio", "aria-label"))
    assert all(page.all("img", "alt"))
    for text in ("tiny, 1 codebook", "tiny, 4 codebooks", "original", "PESQ-WB", "STOI", "kb/s", "bytes"):
        assert text in page.text


def test_names_are_text_and_nothing_else(folder, tmp_path):
    assert listen(folder, tmp_path / "page", "--codebooks", "1") == 0
    page = Tags((tmp_path / "page" / "index.html").read_text(encoding="utf-8"))
    assert HOSTILE in page.text
    assert f"{HOSTILE}, original" in page.all("audio", "aria-label")
    assert "b" not in {tag for tag, _ in page.tags}


def test_an_earlier_page_is_replaced_and_nothing_else(folder, tmp_path, capsys):
    out = tmp_path / "page"
    assert listen(folder, out, "--codebooks", "1") == 0
    assert listen(folder, out, "--codebooks", "1", "--limit", "1") == 0
    assert len(list(out.glob("*.flac"))) == 2
    (out / "index.html").write_text("my own page")
    capsys.readouterr()
    assert listen(folder, out) == 1
    expected = f"error: {out}: is there already and is no earlier page; name a new folder\n"
    assert capsys.readouterr().err == expected
    assert (out / "index.html").read_text() == "my own page"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "page"]


def test_a_failure_leaves_what_was_there(tmp_path):
    out = tmp_path / "page"
    out.mkdir()
    (out / "index.html").write_text(MARK)

    def fail():
        with new_folder(out) as folder:
            (folder / "index.html").write_text("half")
            raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        fail()
    assert (out / "index.html").read_text() == MARK
    assert list(tmp_path.iterdir()) == [out]


def test_a_page_needs_a_folder_to_stand_in(tmp_path):
    with pytest.raises(FileError, match="cannot be made"), new_folder(tmp_path / "missing" / "page"):
        pass


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing", "out"), "missing: no such folder"),
        (("clips", "out", "--min-seconds", "60"), "all 2 recordings are shorter than 60 s"),
        (("clips", "out", "--codebooks", "5"), "--codebooks 5: the model tiny has 4"),
    ],
)
def test_bad_arguments_are_one_line(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder.parent)
    assert listen(*arguments) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert message in error
    assert "\n" not in error
    assert not Path("out").exists()
