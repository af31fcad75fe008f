"""Pools of this machine: work is done lazily, in one process or several, and outlives workers that die."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vqaudio.cluster import Finished, is_careful, open_pool, run_apart
from vqaudio.cluster.local import InProcess, LocalPool
from vqaudio.cluster.pool import TRIES
from vqaudio.errors import VqaudioError


def squared(number: int) -> int:
    if number < 0:
        raise VqaudioError(f"{number}: is negative")
    return number * number


def broken(number: int) -> int:
    return 1 // number


def deadly(path: Path) -> str:
    """Dies until so many have died as the file's name says; each leaves a byte."""
    with path.open("ab") as file:
        file.write(b"x")
    if path.stat().st_size <= int(path.name):
        os._exit(9)
    return "careful" if is_careful() else "done"


def one_thread(_: object) -> tuple[str, int]:
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def test_the_pool_is_the_one_asked_for():
    assert isinstance(open_pool(None, jobs=1), InProcess)
    for jobs in (1, 3):
        with open_pool(None, jobs=jobs, apart=True) as pool:
            assert isinstance(pool, LocalPool)
            assert pool.workers == jobs


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_items_are_done_and_failures_told(jobs):
    with open_pool(None, jobs=jobs) as pool:
        found = list(pool.run(squared, range(-1, 4)))
        assert {done.item: done.made for done in found} == {-1: None, 0: 0, 1: 1, 2: 4, 3: 9}
        assert {done.failure for done in found} == {None, "-1: is negative"}
        assert all(0 <= done.seconds < 10 for done in found)
        assert [done.made for done in pool.run(squared, [5])] == [25]


@pytest.mark.parametrize("jobs", [1, 2])
def test_items_are_taken_as_workers_come_free(jobs):
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    with open_pool(None, jobs=jobs) as pool:
        run = pool.run(squared, endless())
        for count in range(1, 6):
            assert next(run).made is not None
            assert len(taken) < count + jobs
        run.close()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bug_ends_the_run_with_its_traceback(jobs):
    with open_pool(None, jobs=jobs) as pool:
        with pytest.raises(ZeroDivisionError) as caught:
            list(pool.run(broken, [0, 0, 0]))
        if jobs > 1:
            assert "return 1 // number" in "".join(caught.value.__notes__)
        assert [done.made for done in pool.run(broken, [1])] == [1]


def test_items_outlive_workers_that_die_at_them(tmp_path):
    items = [tmp_path / name for name in ("1", "3", "6")]
    with LocalPool(2, deaths=TRIES + 1) as pool:
        found: dict[Path, Finished[Path, str]] = {done.item: done for done in pool.run(deadly, items)}
    assert [found[item].made for item in items] == ["done", "careful", None]
    last = tmp_path / "6"
    assert found[last].failure == (
        f"{last}: workers died at it again and again, the last one with exit status 9; see whether memory is enough, "
        "or leave it out"
    )


def test_items_that_kill_fail_alone_where_each_is_in_a_process_of_its_own(tmp_path):
    found = list(run_apart(deadly, [tmp_path / name for name in ("0", "9")]))
    assert [done.made for done in found] == ["done", None]
    assert (tmp_path / "9").read_bytes() == b"xx"


def test_workers_have_one_thread_and_stay():
    with open_pool(None, jobs=2) as pool:
        found = [done.made for done in pool.run(one_thread, range(8))]
    assert {threads for threads, _ in found} == {"1"}
    assert len({process for _, process in found} - {os.getpid()}) == 2
