"""The command that makes tokens of recordings, from end to end."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tiny_models import HOP, RATE, sound, tiny_model
from tools import one_line

import vqaudio
from vqaudio import cluster, tokenize, tokens
from vqaudio.cluster.opening import open_pool
from vqaudio.corpora import storage
from vqaudio.model import checkpoint
from vqaudio.tokenization import settings
from vqaudio.tokens import Origin, Row


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def same(one: Row, other: Row) -> bool:
    codes = [[part.tolist() for part in each.codes] for each in (one, other)]
    known = [{name: value for name, value in vars(each).items() if name != "codes"} for each in (one, other)]
    return codes[0] == codes[1] and known[0] == known[1]


@pytest.fixture
def recordings() -> Path:
    """Five recordings of a quarter of a second with a manifest, and a model."""
    folder = Path("sounds")
    folder.mkdir()
    rows = []
    for index, (corpus, split) in enumerate(
        (("words", "train"), ("words", "train"), ("words", "valid"), ("digits", "train"), ("digits", "valid"))
    ):
        soundfile.write(folder / f"{index}.wav", sound(RATE // 4, seed=index)[0], RATE)
        rows.append((f"{index}.wav", corpus, split, f"speaker {index % 2}", str(index) if corpus == "digits" else ""))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "corpus", "split", "speaker", "label"), *rows])
    checkpoint.save(tiny_model(), "model.safetensors")
    return folder


def run(*arguments: object, out: str = "tokens") -> int:
    options = [] if "--jobs" in arguments else ["--jobs", "1"]
    given = ["sounds", out, "--model", "model.safetensors", *options, *arguments]
    return tokenize.main([str(argument) for argument in given])


def rows_of(out: str = "tokens", **known: object) -> list[Row]:
    """The rows in a folder with some values, in the order of the recordings."""
    _, rows = tokens.read(Path(out))
    chosen = [one for one in rows if all(getattr(one, name) == value for name, value in known.items())]
    return sorted(chosen, key=lambda one: (one.version, one.path))


def test_every_recording_becomes_a_row(recordings, capsys):
    assert run() == 0
    said = capsys.readouterr().out
    assert said.startswith("tokens: 5 rows of 5 recordings in 1 shards, 0.00 h of sound, ")
    found = checkpoint.load("model.safetensors")
    origin, _ = tokens.read(Path("tokens"))
    assert origin == Origin(found.fingerprint, found.model.bottleneck.streams, RATE / HOP)
    rows, codec = rows_of(), vqaudio.load("model.safetensors")
    assert [(one.path, one.corpus, one.split, one.speaker, one.label, one.version) for one in rows] == [
        ("0.wav", "words", "train", "speaker 0", "", 0),
        ("1.wav", "words", "train", "speaker 1", "", 0),
        ("2.wav", "words", "valid", "speaker 0", "", 0),
        ("3.wav", "digits", "train", "speaker 1", "3", 0),
        ("4.wav", "digits", "valid", "speaker 0", "4", 0),
    ]
    for one in rows:
        wav = soundfile.read(recordings / one.path, dtype="float32")[0]
        expected = codec.encode(wav, RATE, with_margin=False).streams
        assert all(np.array_equal(ours, codes[0]) for ours, codes in zip(one.codes, expected, strict=True))


@pytest.mark.usefixtures("recordings")
def test_each_recording_can_be_coded_with_several_numbers_of_codebooks():
    assert run("--codebooks", "3,1", "--quiet") == 0
    rows = rows_of()
    assert [len(one.codes) for one in rows] == 5 * [3, 1]
    assert all(np.array_equal(three.codes[0], one.codes[0]) for three, one in zip(rows[::2], rows[1::2], strict=True))


@pytest.mark.usefixtures("recordings")
def test_versions_vary_what_is_learned_from_and_a_seed_repeats_them(capsys):
    for out, *options in (("a",), ("b",), ("c", "--seed", 1)):
        assert run("--versions", 2, "--quiet", *options, out=out) == 0
    assert capsys.readouterr().out == ""
    train = [one.path for one in rows_of("a", version=0, split="train")]
    originals = {one.path: one.codes for one in rows_of("a", version=0)}
    assert len(train) == 3
    for version in (1, 2):
        varied = rows_of("a", version=version)
        assert [one.path for one in varied] == train
        for one in varied:
            before = originals[one.path][1]
            assert one.codes[1].tolist() != before.tolist()
            assert 0.85 * len(before) < len(one.codes[1]) < 1.15 * len(before)
    first, second, other = (rows_of(out) for out in "abc")
    assert all(same(one, again) for one, again in zip(first, second, strict=True))
    assert [same(one, again) for one, again in zip(first, other, strict=True)] == [not one.version for one in first]


@pytest.mark.usefixtures("recordings")
def test_half_of_the_versions_end_frames_early():
    """Where embeddings cost more than any saves, frames end after the first codebook that has no stop code."""
    model = tiny_model()
    with torch.no_grad():
        for embeddings in model.bottleneck.additive_codebooks()[1:]:
            embeddings[2] = 0.0
    checkpoint.save(model, "ended.safetensors")
    options = ("--versions", 4, "--quiet", "--code-costs", "1e5,1e6", "--model", "ended.safetensors")
    assert run(*options) == 0
    ended = [all((part == 2).all() for part in one.codes[1:]) for one in rows_of() if one.version]
    assert not any((one.codes[1] == 2).all() for one in rows_of(version=0))
    assert 2 < sum(ended) < 10
    assert len(ended) == 12


@pytest.mark.usefixtures("recordings")
def test_a_run_goes_on_where_it_stopped(monkeypatch, capsys):
    monkeypatch.setattr(settings, "SHARD", 1)
    assert run("--versions", 1) == 0
    shards = sorted(Path("tokens").glob("*.parquet"))
    before, times = rows_of(), {path: path.stat().st_mtime_ns for path in shards}
    assert len(shards) == 10
    shards[3].unlink()
    capsys.readouterr()
    assert run("--versions", 1) == 0
    assert capsys.readouterr().out.startswith("tokens: 8 rows of 5 recordings in 10 shards")
    assert {path for path in shards if path.stat().st_mtime_ns != times[path]} == {shards[3]}
    assert all(same(one, again) for one, again in zip(before, rows_of(), strict=True))


@pytest.mark.usefixtures("recordings")
@pytest.mark.parametrize("manifest", [True, False], ids=["manifest", "shards alone"])
def test_tokens_of_others_are_not_mixed_in(manifest, capsys):
    assert run("--quiet") == 0
    if not manifest:
        Path("tokens/_manifest.json").unlink()
    before = {path: path.read_bytes() for path in Path("tokens").iterdir()}
    checkpoint.save(tiny_model(seed=1), "other.safetensors")
    assert run("--model", "other.safetensors", "--versions", 1) == 1
    assert one_line(capsys, "error: tokens: holds tokens of the model ", "choose another OUT")
    assert run("--codebooks", 1) == 1
    assert one_line(capsys, "error: tokens: was made with other settings (codebooks [3], now [1]); choose another OUT")
    assert run("--precision", "bf16") == 1
    assert one_line(capsys, 'error: tokens: was made with other settings (precision "float32", now "bf16")')
    assert run("--corpora", "words") == 1
    assert one_line(capsys, "error: tokens: holds tokens of another source", "choose another OUT")
    if manifest:
        assert run("--format", "webdataset") == 1
        assert one_line(capsys, "error: tokens: holds tokens as parquet, not as webdataset; choose another OUT")
    assert {path: path.read_bytes() for path in Path("tokens").iterdir()} == before


@pytest.mark.usefixtures("recordings")
def test_some_corpora_alone(capsys):
    assert run("--corpora", "digits", "--quiet") == 0
    assert [one.path for one in rows_of()] == ["3.wav", "4.wav"]
    assert run("--corpora", "digits,songs") == 1
    assert one_line(capsys, "error: sounds: has no corpus songs")


def test_short_recordings_can_be_followed_by_silence(recordings):
    assert run("--pad-to", 0.5, "--quiet") == 0
    wav = np.pad(soundfile.read(recordings / "0.wav", dtype="float32")[0], (0, RATE // 4))
    expected = vqaudio.load("model.safetensors").encode(wav, RATE, with_margin=False).streams
    found = rows_of(path="0.wav")[0].codes
    assert all(np.array_equal(ours, codes[0]) for ours, codes in zip(found, expected, strict=True))


def test_a_copy_of_which_nothing_is_left_has_no_row(recordings):
    """Copies begin up to a frame later than their recording, and this one is shorter than that."""
    soundfile.write(recordings / "1.wav", np.full(2, 0.1), RATE)
    assert run("--versions", 1, "--quiet") == 0
    assert [len(one.codes[0]) for one in rows_of(path="1.wav", version=0)] == [1]
    assert [one.path for one in rows_of(version=1)] == ["0.wav", "3.wav"]


@pytest.mark.usefixtures("recordings")
def test_several_processes_write_what_one_does(monkeypatch):
    monkeypatch.setattr(settings, "SHARD", 3)
    for jobs in (1, 2):
        assert run("--versions", 1, "--jobs", jobs, "--quiet", out=f"jobs {jobs}") == 0
    one, two = ({path.name: path.read_bytes() for path in Path(f"jobs {jobs}").glob("*.parquet")} for jobs in (1, 2))
    assert one == two
    assert len(one) == 4


@pytest.mark.usefixtures("recordings")
def test_one_job_is_a_process_of_its_own_but_for_a_single_shard(monkeypatch):
    """Of a small input the start of that process would be most of the time."""
    asked: list[bool] = []

    def noted(where: str | None, *, jobs: int, device: str, apart: bool) -> cluster.Pool:
        asked.append(apart)
        return open_pool(where, jobs=jobs, device=device)

    monkeypatch.setattr(cluster, "open_pool", noted)
    assert run() == 0
    monkeypatch.setattr(settings, "SHARD", 3)
    assert run(out="others") == 0
    assert run("--jobs", "2", out="third") == 0
    assert asked == [False, True, False]


def test_recordings_that_cannot_be_read_are_listed_and_the_rest_is_done(recordings, capsys):
    (recordings / "1.wav").write_text("no sound")
    (recordings / "4.wav").unlink()
    for _ in range(2):
        assert run("--versions", 1, "--quiet") == 1
        assert one_line(
            capsys, "error: 2 of 5 recordings could not be coded; tokens/_manifest.json lists them; the same command"
        )
    assert [one.path for one in rows_of(version=0)] == ["0.wav", "2.wav", "3.wav"]
    assert [one.path for one in rows_of(version=1)] == ["0.wav", "3.wav"]
    listed = json.loads(Path("tokens/_manifest.json").read_text())["failures"]
    assert [(each["shard"], each["id"]) for each in listed] == [("000000-00", "1.wav"), ("000000-00", "4.wav")]
    assert listed[0]["reason"].startswith(f"{recordings.absolute()}/1.wav: is not a sound file")
    assert "4.wav: no such file" in listed[1]["reason"]


@pytest.mark.parametrize(
    "options",
    [["--versions", -1], ["--jobs", 0], ["--speed", 1], ["--codebooks", "3,x"], ["--code-costs", "2,1"]],
    ids=lambda each: each[0],
)
def test_options_that_make_no_sense_are_refused(recordings, options, capsys):
    assert run(*options) == 2
    assert one_line(capsys, "error: ", options[0])
    assert not Path("tokens").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--codebooks", "4"], "4 codebooks asked for, but model has 1 to 3"),
        (["--model", "nowhere"], "nowhere: no such model"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_impossible_wishes_give_one_line(recordings, options, message, capsys):
    assert run(*options) == 1
    assert one_line(capsys, "error: ", message)
    assert not Path("tokens").exists()


def test_no_recordings_give_one_line(capsys):
    assert run() == 1
    assert one_line(capsys, "error: sounds: no such file or folder")


@pytest.mark.usefixtures("recordings")
def test_the_missing_extra_is_named(monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else real(name))
    assert run() == 1
    assert one_line(capsys, "error: tokenize needs pyarrow: pip install 'vqaudio[tables]'")


@pytest.mark.slow
def test_from_s3_to_s3_as_from_here_to_here(recordings, s3):
    for path in recordings.iterdir():
        with storage.write_atomically(f"{s3}/tokenize/{path.name}") as file:
            file.write(path.read_bytes())
    assert run("--versions", 1) == 0
    arguments = [f"{s3}/tokenize", f"{s3}/tokens", "--model", "model.safetensors", "--jobs", "2", "--versions", "1"]
    for _ in range(2):
        assert tokenize.main(arguments) == 0
    here = {path.name: path.read_bytes() for path in Path("tokens").iterdir() if path.suffix == ".parquet"}
    there = [name for name in storage.list(f"{s3}/tokens") if name.endswith(".parquet")]
    assert sorted(here) == there
    for name in there:
        with storage.open_read(f"{s3}/tokens/{name}") as file:
            assert file.read() == here[name]
