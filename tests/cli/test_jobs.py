"""Files into files: which inputs become which outputs, many at once, and one report for each."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from compressing import compress, listing, spoken
from tools import one_line, reader

from vqaudio.cli.jobs import HiddenBar, seconds_bar

RATE = 16000


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_outputs_that_exist_are_kept(capsys):
    spoken("in.wav")
    Path("out.vq").write_text("precious")
    assert compress("in.wav", "out.vq") == 1
    assert "out.vq: exists already; add --force" in capsys.readouterr().err
    assert compress("missing.wav", "out.vq", "--force") == 1
    assert Path("out.vq").read_text() == "precious"
    assert compress("in.wav", "out.vq", "--force") == 0
    assert reader(Path("out.vq").read_bytes()).n_chunks == 1


def test_an_input_is_never_its_own_output(capsys):
    before = spoken("in.wav").read_bytes()
    Path("link.vq").symlink_to("in.wav")
    Path("deep").mkdir()
    for target in ("link.vq", "deep/../link.vq"):
        assert compress("in.wav", target, "--force") == 1
        assert "are the same file" in capsys.readouterr().err
    assert compress("in.wav", "in.wav", "--force") == 1
    assert one_line(capsys, "error: in.wav: what is compressed is no .wav; name the output in.vq")
    assert Path("in.wav").read_bytes() == before


def test_places_that_cannot_be_written(capsys):
    spoken("in.wav")
    Path("file").write_text("")
    for target, message in (
        ("no/folder/out.vq", "folder does not exist"),
        ("file/out.vq", "folder is a file"),
        (".", "folder"),
    ):
        assert compress("in.wav", target, "--force") == 1
        assert one_line(capsys, "error: ", message)
    assert compress("in.wav", "--out-dir", "file") == 1
    assert "file: cannot be made a folder" in capsys.readouterr().err
    assert compress("in.wav", "x" * 300) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert listing() == {"in.wav", "file"}


def test_a_folder_keeps_its_tree(capsys):
    for name in ("all/a.wav", "all/deep/er/b.FLAC", "all/deep/c.ogg", "single.wav"):
        kind = {".wav": "WAV", ".FLAC": "FLAC", ".ogg": "OGG"}[Path(name).suffix]
        spoken(name, format=kind, subtype="VORBIS" if kind == "OGG" else "PCM_16")
    Path("all/notes.txt").write_text("not sound")
    assert compress("all", "single.wav", "--out-dir", "made/here") == 0
    made = {name for name in listing() if name.startswith("made")}
    assert made == {"made/here/a.vq", "made/here/deep/er/b.vq", "made/here/deep/c.vq", "made/here/single.vq"}
    assert capsys.readouterr().err.count("x real time") == 5  # and once for all of them


def test_one_file_into_a_folder_to_be():
    spoken("in.wav")
    assert compress("in.wav", "--out-dir", "new/folder") == 0
    assert listing() == {"in.wav", "new/folder/in.vq"}


def test_without_a_name_the_output_stands_beside_the_input(capsys):
    spoken("in.wav")
    spoken("deep/down/more.flac", format="FLAC", subtype="PCM_16")
    assert compress("in.wav") == 0
    assert compress("deep") == 0
    assert listing() == {"in.wav", "in.vq", "deep/down/more.flac", "deep/down/more.vq"}
    before = Path("in.vq").read_bytes()
    capsys.readouterr()
    assert compress("in.wav", "--codebooks", 1) == 1
    assert one_line(capsys, "error: in.vq: exists already; add --force")
    assert Path("in.vq").read_bytes() == before
    assert compress("in.wav", "--codebooks", 1, "--force") == 0
    assert Path("in.vq").read_bytes() != before


def test_what_exists_can_be_skipped(capsys, monkeypatch):
    for name in ("a", "b", "c"):
        spoken(f"{name}.wav")
    assert compress("a.wav", "b.wav", "--out-dir", "out") == 0
    before = {path: path.read_bytes() for path in Path("out").iterdir()}
    capsys.readouterr()
    arguments = ["a.wav", "b.wav", "c.wav", "--out-dir", "out", "--skip-existing", "--codebooks", 1]
    assert compress(*arguments) == 0
    skipped, done = capsys.readouterr().err.splitlines()
    assert skipped == "2 of 3 skipped: their outputs exist"
    assert done.startswith("c.wav -> out/c.vq: ")
    assert {path: path.read_bytes() for path in before} == before
    monkeypatch.setattr("vqaudio.codec.codec.load", None)  # it is not called where nothing is left to do
    assert compress(*arguments, "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert compress(*arguments, "--force") == 2
    assert one_line(capsys, "error: --force and --skip-existing: expected one of them")


def test_several_files_are_summed_up(capsys):
    spoken("a.wav", 0.5)
    spoken("b.wav", 1.5)
    assert compress("a.wav", "b.wav", "--out-dir", "out") == 0
    size = sum(path.stat().st_size for path in Path("out").iterdir())
    assert capsys.readouterr().err.splitlines()[2].startswith(f"2 sounds: 2.00 s, {size} bytes, ")


def test_speeds_leave_out_the_time_that_models_take_to_load(slow_loading, capsys):
    spoken("in.wav")
    assert compress("in.wav") == 0
    assert len(slow_loading) == 1
    assert float(re.search(r"([\d.]+) x real time", capsys.readouterr().err)[1]) > 0.01


def test_a_bad_file_does_not_stop_the_others(capsys):
    spoken("a.wav")
    Path("b.wav").write_text("no sound")
    spoken("c.wav")
    assert compress("a.wav", "b.wav", "c.wav", "--out-dir", "out") == 1
    said = capsys.readouterr().err
    assert "error: b.wav: is not a sound file" in said
    assert "error: 1 of 3 files could not be converted" in said
    assert listing() == {"a.wav", "b.wav", "c.wav", "out/a.vq", "out/c.vq"}


def test_what_a_file_lacks_is_told_and_the_rest_compressed(capsys):
    spoken("in/a.wav")
    data = spoken("in/b.wav").read_bytes()
    Path("in/b.wav").write_bytes(data[: -len(data) // 3])
    assert compress("in", "--out-dir", "out", "--quiet") == 1
    assert listing() >= {"out/a.vq", "out/b.vq"}
    assert one_line(capsys, "warning: in/b.wav: ends at 0.200 s, 0.100 s (1606 samples) before its header says: ")


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["one/x.wav", "two/x.flac", "--out-dir", "out"], "would both become out/x.vq: rename one"),
        (["one", "two", "--out-dir", "out"], "would both become out/x.vq: rename one"),
        (["-"], "expected IN OUT, found 1 paths"),
        ([], "expected IN OUT, found 0 paths"),
        (["one/x.wav", "two/x.flac"], "two/x.flac: what is compressed is no .flac; name the output x.vq"),
        (["one/x.wav", "out.MP3"], "out.MP3: what is compressed is no .mp3; name the output out.vq"),
        (["one/x.wav", "out.csv"], "out.csv: what is compressed is no .csv"),
        (
            ["one/x.wav", "two/x.flac", "out.vq"],
            "expected IN OUT, found 3 paths; to convert several files, add --out-dir",
        ),
        (["empty", "--out-dir", "out"], "empty: holds no files to convert"),
    ],
)
def test_lists_that_cannot_be_right(paths, message, capsys):
    spoken("one/x.wav")
    spoken("two/x.flac", format="FLAC", subtype="PCM_16")
    Path("empty").mkdir()
    assert compress(*paths) == 1
    assert one_line(capsys, "error: ", message)
    assert listing() == {"one/x.wav", "two/x.flac"}


@pytest.mark.parametrize(("total", "shown"), [(8.0, "in.wav:  50%|"), (None, "in.wav: 4 s of sound [")])
def test_progress_is_shown_on_terminals_alone(total, shown, monkeypatch, capsys):
    for is_terminal, quiet in [(False, False), (True, True), (True, False)]:
        monkeypatch.setattr(sys.stderr, "isatty", lambda found=is_terminal: found)
        with seconds_bar(total, "in.wav", quiet=quiet) as bar:
            bar.update(4.0)
            if isinstance(bar, HiddenBar):
                assert capsys.readouterr().err == ""
            else:
                bar.refresh()
                assert shown in capsys.readouterr().err
        assert isinstance(bar, HiddenBar) is (quiet or not is_terminal)
