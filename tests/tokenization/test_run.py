"""Runs of tokenization: what is missing is done, what fails is listed, and what cannot go on says so in a sentence."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from tokenizing import IDS, how, tokenized
from tools import MODEL, synthetic, wav_bytes

from vqaudio import tokens
from vqaudio.cluster import Pool, open_pool
from vqaudio.codec.codec import load
from vqaudio.corpora import open_corpus, remote, storage
from vqaudio.errors import FileError, VqaudioError
from vqaudio.tokenization import run, work
from vqaudio.tokenization.manifest import Manifest
from vqaudio.tokenization.settings import Tokenizing


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work.check_out.cache_clear()


def facts(out: str = "tokens") -> dict[str, Any]:
    made: dict[str, Any] = json.loads(Path(out, "_manifest.json").read_text(encoding="utf-8"))
    return made


def shards(out: str = "tokens") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(out).glob("*.parquet")}


# ------------------------------------------------------------------------------------------------------------ manifest


def test_the_manifest_says_what_there_is_and_what_failed():
    tokenized(versions=1)
    found = facts()
    assert (found["recordings"], found["copies"], found["rows"]) == (4, 3, 7)
    assert (found["shards"], found["planned"], found["complete"]) == (6, 6, True)
    assert (found["format"], found["source"]) == ("parquet", "made")
    assert found["model"]["fingerprint"] == load(MODEL).fingerprint
    assert found["settings"] | {"seed": 0, "codebooks": [3], "shard": 2} == found["settings"]
    (failure,) = found["failures"]
    assert (failure["shard"], failure["id"], failure["path"]) == ("000001-00", "broken-three", "broken-three.wav")
    assert failure["reason"] == "broken-three: is not a sound file"
    assert [(each["id"], each["reason"]) for each in found["warnings"]] == [
        ("lacking-four", "lacking-four: its end is missing")
    ]
    rows = tokens.read(Path("tokens"))[1]
    assert found["seconds"] == pytest.approx(sum(row.seconds or 0 for row in rows), abs=1e-5)
    bits = sum(6 * len(codes) for row in rows for codes in row.codes)
    assert found["kbps"]["3"] == pytest.approx(bits / found["seconds"] / 1000, rel=0.01)
    assert found["times_real_time"] > 0
    assert 0 < found["worker_seconds"] <= found["wall_seconds"]
    assert [row.text for row in rows if not row.version] == ["say one", "say valid-two", "say lacking-four", "say five"]


@pytest.mark.parametrize("lost", ["nothing", "shard", "manifest", "news"])
def test_a_rerun_does_what_is_missing_and_counts_the_same(lost, monkeypatch):
    real = Manifest.save
    with monkeypatch.context() as patch:
        if lost == "news":  # as where the run is killed after its last shard, and before it says so
            patch.setattr(Manifest, "save", lambda manifest: None if manifest.shards else real(manifest))
        before = tokenized(versions=1)
    written = shards()
    if lost == "manifest":
        Path("tokens/_manifest.json").unlink()
    if lost == "shard":
        Path("tokens/000001-00.parquet").unlink()
    done: list[str] = []
    patched = lambda task, how: (done.append(str(task)), work.tokenize_part(task, how))[1]  # noqa: E731
    monkeypatch.setattr(run, "tokenize_part", patched)
    tokenized(versions=1)
    assert done == (["000001-00"] if lost == "shard" else [])
    assert shards() == written
    found, told = facts(), before.facts()
    of_the_clock = ("wall_seconds", "worker_seconds", "times_real_time")
    assert {**found, **dict.fromkeys(of_the_clock)} == {**told, **dict.fromkeys(of_the_clock)}


def test_more_versions_may_be_added_and_fewer_asked_for():
    tokenized(versions=0)
    tokenized(versions=2)
    assert facts()["planned"] == 9
    tokenized(versions=1)
    assert (facts()["planned"], facts()["complete"]) == (9, True)


def test_a_manifest_of_something_else_is_named():
    Path("tokens").mkdir()
    for text in ("no JSON", "{}", "[]"):
        Path("tokens/_manifest.json").write_text(text)
        with pytest.raises(FileError, match=r"tokens/_manifest\.json: is no manifest of tokens .*; remove it"):
            tokenized()


# -------------------------------------------------------------------------------------------------------------- places


@pytest.mark.parametrize("form", ["parquet", "webdataset", "shar"])
def test_tokens_go_to_urls_as_to_folders(form):
    tokenized(format=form)
    tokenized("memory://bucket/tokens", format=form)
    files = fsspec.filesystem("memory")
    try:
        for path in Path("tokens").rglob("*-00*"):
            assert files.cat_file(f"/bucket/{path}") == path.read_bytes()
        assert json.loads(files.cat_file("/bucket/tokens/_manifest.json"))["complete"]
        count = len(files.find("/bucket/tokens"))
        tokenized("memory://bucket/tokens", format=form)
        assert len(files.find("/bucket/tokens")) == count == len([p for p in Path("tokens").rglob("*") if p.is_file()])
    finally:
        files.rm("/bucket", recursive=True)


class _Elsewhere(Pool):
    """Another machine, whose folder of that name is its own."""

    workers = 1

    def run(self, work_on: Any, items: Any) -> Iterator[Any]:
        with open_pool(None, jobs=1) as pool:
            for done in pool.run(work_on, items):
                for path in Path("tokens").glob("*.parquet"):
                    path.unlink()
                yield done

    def close(self) -> None:
        pass


def test_a_folder_that_is_not_shared_is_noticed(monkeypatch):
    monkeypatch.setattr(run, "LOOKS", 1)
    with pytest.raises(FileError, match=r"000000-00\.parquet: was written by a worker, but is not there .* share"):
        tokenized(pool=_Elsewhere())
    assert facts()["shards"] == 0
    with pytest.raises(FileError, match=r"nowhere: is not there on .*; choose an OUT that all of them share"):
        work.check_out("nowhere")


# ------------------------------------------------------------------------------------------------------------ failures


def test_a_disk_that_is_full_ends_the_run_and_loses_nothing():
    tokenized(ids=IDS[:2])
    kept = shards()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        with pytest.raises(VqaudioError, match=r"-00\.parquet: the file grew beyond .* \(3 shards in a row failed"):
            tokenized(ids=[*IDS[:2], *(f"more-{number}" for number in range(8))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert shards() == kept
    assert os.listdir("tokens").count("_manifest.json") == 1
    tokenized(ids=[*IDS[:2], *(f"more-{number}" for number in range(8))])
    assert (facts()["shards"], facts()["complete"]) == (5, True)


def test_shards_that_fail_now_and_then_are_told_and_tried_again(monkeypatch):
    def failing(task: Any, how: Tokenizing) -> Any:
        if task.part.index == 1:
            raise FileError(f"{task}: the disk is full")
        return work.tokenize_part(task, how)

    with monkeypatch.context() as patch:
        patch.setattr(run, "tokenize_part", failing)
        made = tokenized()
    assert made.failed_shards == facts()["failed_shards"] == {"000001-00": "000001-00: the disk is full"}
    assert not facts()["complete"]
    assert not tokenized().failed_shards
    assert facts()["complete"]
    assert facts()["failed_shards"] == {}


def test_a_part_of_which_nothing_can_be_read_is_tried_again():
    """As where a file system was not there for a while; a broken recording among others is another thing."""
    ids = ["broken-one", "broken-two", "three", "broken-four"]
    for _ in range(2):
        made = tokenized(ids=ids, versions=1)
        reason = "none of its 2 recordings could be read"
        assert made.failed_shards == {
            "000000-00": f"{reason}; the first: broken-one: is not a sound file",
            "000000-01": reason,
        }
        assert [failure["id"] for failure in made.failures] == ["broken-four"]
    assert sorted(shards()) == ["000001-00.parquet", "000001-01.parquet"]


def listed_anew(out: str, *, versions: int = 1) -> Manifest:
    """A run over ``list.csv``, as the command makes it."""
    corpus = open_corpus("list.csv")
    with open_pool(None, jobs=1) as pool:
        return run.tokenize(corpus, load(MODEL), how(out), versions=versions, pool=pool, quiet=True)


def test_what_could_not_be_reached_is_tried_again_and_what_is_broken_is_not(monkeypatch):
    """In the end there is what an undisturbed run writes."""
    monkeypatch.setattr(remote, "WAITS", ())
    rate = load(MODEL).sample_rate
    paths = ["0.wav", "1.wav", "memory://late/2.wav", "3.wav", "4.wav", "5.wav", "6.wav"]
    Path("list.csv").write_text("path,split\n" + "".join(f"{path},train\n" for path in paths))
    data = {path: wav_bytes(synthetic(0.1 + index / 100, rate), rate) for index, path in enumerate(paths)}
    data["4.wav"] = b"no sound"
    late = ("memory://late/2.wav", "1.wav")
    files = fsspec.filesystem("memory")

    def put(*names: str) -> None:
        for name in names:
            with storage.write_atomically(name) as file:
                file.write(data[name])

    try:
        put(*paths)
        whole = listed_anew("whole").facts()
        for name in late:
            storage.remove(name)
        found = listed_anew("tokens").facts()
        assert (found["recordings"], found["failed"], found["unreached"]) == (4, 3, {"0": "0-1", "1": "0-1"})
        put("1.wav")
        done: list[str] = []
        patched = lambda task, how: (done.append(str(task)), work.tokenize_part(task, how))[1]  # noqa: E731
        monkeypatch.setattr(run, "tokenize_part", patched)
        assert listed_anew("tokens").facts()["unreached"] == {"0": "1", "1": "1"}
        put(*late)
        last = listed_anew("tokens").facts()
        again = listed_anew("tokens").facts()
    finally:
        files.rm("/late", recursive=True)
    assert done == ["000000-00", "000000-01", "000001-00", "000001-01", "000001-00", "000001-01"]
    assert shards() == shards("whole")
    exact = ("rows", "recordings", "copies", "failed", "failures", "complete", "parts", "unreached")
    for name in (*exact, "bits", "seconds", "row_seconds"):
        assert last[name] == again[name] == whole[name], name
    assert [failure["id"] for failure in last["failures"]] == ["4.wav"]


def test_a_run_that_is_cut_off_while_it_tries_again_loses_nothing(monkeypatch):
    """Shards stay where they are until others replace them."""
    Path("list.csv").write_text("path\n0.wav\n1.wav\n")
    codec = load(MODEL)
    data = wav_bytes(synthetic(0.1, codec.sample_rate), codec.sample_rate)
    Path("0.wav").write_bytes(data)
    listed_anew("tokens", versions=0)
    written = shards()

    def interrupted(task: Any, how: Tokenizing) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "tokenize_part", interrupted)
        with pytest.raises(KeyboardInterrupt):
            listed_anew("tokens", versions=0)
    assert shards() == written
    assert (facts()["shards"], facts()["complete"]) == (0, False)
    Path("1.wav").write_bytes(data)
    listed_anew("tokens", versions=0)
    assert (facts()["recordings"], facts()["failed"], facts()["unreached"], facts()["complete"]) == (2, 0, {}, True)


def test_a_folder_that_must_not_be_written_is_refused_before_anything_is_done():
    Path("file").touch()
    with pytest.raises(FileError, match=r"file/tokens: cannot be made a folder .*; choose another"):
        tokenized("file/tokens")
