"""Tokens from a cluster are those from one process, byte for byte, whatever dies on the way."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
import soundfile
from clusters import LocalCluster
from killing import Tokenizing, kill_midway, manifest, shards

from benchmarks.made_corpus import RATE, made_utterance, write_tars
from vqaudio import tokens

pytestmark = pytest.mark.slow

HOURS, DISTINCT, PER_TAR = 0.5, 0.05, 2


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour in tars of two utterances, each tar a part."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vqaudio[cluster]'")
    folder = tmp_path_factory.mktemp("corpus") / "tars"
    folder.mkdir()
    write_tars(folder, HOURS, DISTINCT, PER_TAR)
    return folder


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("reference") / "tokens"
    status, said = Tokenizing(source, out, "--jobs", 1).end()
    assert status == 0, said
    return out


@pytest.fixture(scope="module")
def mortal() -> Iterator[LocalCluster]:
    """Two nodes, which these tests kill."""
    with LocalCluster(2) as cluster:
        yield cluster


def assert_same(out: Path, reference: Path) -> None:
    """Every shard, and no other file; every utterance once; the same manifest."""
    assert {name: len(data) for name, data in shards(out).items()} == {
        name: len(data) for name, data in shards(reference).items()
    }
    assert shards(out) == shards(reference)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in reference.iterdir())
    ids = Counter(row.id for row in tokens.read(out)[1])
    assert set(ids.values()) == {1}
    assert manifest(out) == manifest(reference)


def test_two_nodes_make_what_one_process_makes(source, reference, ray_cluster, tmp_path):
    status, said = Tokenizing(source, tmp_path / "tokens", "--cluster", ray_cluster.address).end()
    assert status == 0, said
    assert_same(tmp_path / "tokens", reference)


def test_workers_and_nodes_that_are_killed_lose_and_double_nothing(source, reference, mortal, tmp_path):
    """Twenty kills, in as many runs as that takes."""
    random, left = Random(0), list("wwwnwwwnwwwnwwwnwwwn")
    for number in range(10):
        out = tmp_path / f"{number}"
        run = Tokenizing(source, out, "--cluster", mortal.address)
        try:
            killed = kill_midway(run, mortal, len(shards(reference)), "".join(left), random)
            status, said = run.end()
        finally:
            run.kill()
        assert status == 0, said
        assert_same(out, reference)
        del left[:killed]
        if not left:
            return
    pytest.fail(f"{len(left)} kills came too late")


def test_a_driver_that_is_killed_goes_on_where_it_was(source, reference, mortal, tmp_path):
    out, random, n_parts = tmp_path / "tokens", Random(0), len(shards(reference))
    before = 0
    for _ in range(3):
        run = Tokenizing(source, out, "--cluster", mortal.address)
        moment = random.randrange(before + 1, max(before + 2, n_parts - 10))
        assert run.wait_for(lambda run=run, moment=moment: run.done() >= moment)
        run.kill()
        assert run.done() >= before
        before = run.done()
    kept = {path: path.stat().st_mtime_ns for path in out.glob(f"*{tokens.SUFFIX}")}
    status, said = Tokenizing(source, out, "--cluster", mortal.address).end()
    assert status == 0, said
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert_same(out, reference)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Three good recordings, one that is broken, and one that kills whoever opens it."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in ("0", "1", "2", "deadly"):
        soundfile.write(folder / f"{name}.flac", made_utterance(len(name)).sound, RATE)
    (folder / "broken.flac").write_bytes(b"no sound at all")
    return folder


@pytest.mark.parametrize("where", ["here", "cluster"])
def test_a_recording_that_is_broken_or_kills_its_process_stops_nothing(where, sounds, tmp_path, monkeypatch):
    """Both are listed, each with its sentence, and the others are there."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent / 'deadly'}:{os.environ.get('PYTHONPATH', '')}")
    with ExitStack() as stack:
        options: list[object] = ["--jobs", 2]
        if where == "cluster":
            options = ["--cluster", stack.enter_context(LocalCluster(1)).address]  # whose workers have that path
        run = Tokenizing(sounds, tmp_path / "tokens", *options)
        status, said = run.end()
    failures = manifest(tmp_path / "tokens")["failures"]
    assert status == 1, said
    assert {failure["id"] for failure in failures} == {"broken.flac", "deadly.flac"}
    assert sorted(row.id for row in tokens.read(tmp_path / "tokens")[1]) == ["0.flac", "1.flac", "2.flac"]
