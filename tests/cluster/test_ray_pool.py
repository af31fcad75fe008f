"""Work on Ray: as in one process, on both nodes, through the loss of workers and of nodes."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clusters import LocalCluster

from vqaudio.cluster import Finished, Pool, is_careful, open_pool
from vqaudio.cluster.connect import _answers
from vqaudio.errors import VqaudioError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool(ray_cluster: LocalCluster) -> Iterator[Pool]:
    """In contact with the shared cluster for all tests here that do not need another: Ray's workers start slowly."""
    with open_pool(ray_cluster.address, jobs=1) as pool:
        yield pool


def squared() -> Callable[[int], tuple[int, str, str, int]]:
    """Workers of a cluster know nothing of the tests' modules: a function within one travels whole."""
    negative = VqaudioError

    def work(number: int) -> tuple[int, str, str, int]:
        import ray

        if number < 0:
            raise negative(f"{number}: is negative")
        time.sleep(0.2)
        node = ray.get_runtime_context().get_node_id()
        return number * number, os.environ["OMP_NUM_THREADS"], node, os.getpid()

    return work


def test_all_items_are_done_by_all_nodes_and_failures_told(pool):
    assert pool.workers == 2
    found = list(pool.run(squared(), range(-1, 8)))
    made = {done.item: done.made for done in found}
    assert made.pop(-1) is None
    assert {item: each[0] for item, each in made.items() if each} == {item: item * item for item in range(8)}
    assert {done.failure for done in found} == {None, "-1: is negative"}
    assert {each[1] for each in made.values() if each} == {"1"}
    assert len({each[2] for each in made.values() if each}) == 2
    assert len({each[3] for each in made.values() if each}) == 2  # processes, which stay
    assert all(0.2 <= done.seconds < 30 for done in found if done.made)


def test_items_are_taken_as_workers_come_free(pool):
    taken: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            taken.append(len(taken))
            yield taken[-1]

    run = pool.run(lambda item: item, endless())
    for count in range(1, 8):
        assert next(run).failure is None
        assert len(taken) < count + 2 * 2
    run.close()


def test_a_bug_ends_the_run_with_its_traceback(pool):
    with pytest.raises(ZeroDivisionError) as caught:
        list(pool.run(lambda number: 1 // number, [0, 0, 0]))
    assert "1 // number" in "".join(caught.value.__notes__)
    assert [done.made for done in pool.run(lambda number: 1 // number, [1])] == [1]


def test_items_outlive_workers_that_die_at_them(pool, tmp_path, monkeypatch):
    monkeypatch.setattr("vqaudio.cluster.ray_pool.TRIES", 2)  # Ray takes its time to start a worker
    careful = is_careful

    def deadly(path: Path) -> str:
        with path.open("ab") as file:
            file.write(b"x")
        if path.stat().st_size <= int(path.name):
            os._exit(9)
        return "careful" if careful() else "done"

    items = [tmp_path / name for name in ("2", "4")]
    found: dict[Path, Finished[Path, str]] = {done.item: done for done in pool.run(deadly, items)}
    assert [found[item].made for item in items] == ["careful", None]
    assert found[items[1]].failure == (
        f"{items[1]}: workers died at it again and again, the last one by a crash; see whether memory is enough, "
        "or leave it out"
    )


# Clusters of their own, and after all that share one: a process is in contact with one at a time.


@pytest.fixture
def _no_contact() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    ray.shutdown()
    yield
    ray.shutdown()


@pytest.mark.usefixtures("_no_contact")
def test_items_outlive_the_loss_of_a_node():
    def slow(number: int) -> int:
        time.sleep(0.5)
        return number

    with LocalCluster(2) as cluster, open_pool(cluster.address, jobs=1) as pool:
        found = []
        for done in pool.run(slow, range(8)):
            found.append(done.made)
            if len(found) == 3:
                cluster.kill_node(cluster.others[0])
        assert sorted(found) == list(range(8))


@pytest.mark.usefixtures("_no_contact")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # Ray's own
def test_through_ray_client_on_gpus():
    """Ray takes our word for a GPU: what counts is that its tasks go to one process, which keeps its model."""
    work = squared()

    def on_gpu(number: int) -> tuple[object, str]:
        return work(number), os.environ["CUDA_VISIBLE_DEVICES"]

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with LocalCluster(1, ray_client_server_port=port, num_gpus=1):
        end = time.monotonic() + 60
        while not _answers("127.0.0.1", port) and time.monotonic() < end:
            time.sleep(0.2)
        with open_pool(f"ray://127.0.0.1:{port}", jobs=1, device="cuda") as pool:
            assert pool.workers == 1
            made = {done.item: done.made or done.failure for done in pool.run(on_gpu, [-1, 2, 3])}
    assert made[-1] == "-1: is negative"
    assert made[3][0][0] == 9
    assert made[3][1] == made[2][1] == "0"
    assert made[3][0][3] == made[2][0][3]  # process
    gc.collect()
