"""The clusters that slow tests run on: two nodes work side by side, and what is killed is killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from clusters import LocalCluster, kill

pytestmark = pytest.mark.slow


@pytest.fixture
def join() -> Iterator[Any]:
    """Joins a cluster, until the test is over."""
    ray = pytest.importorskip("ray")
    yield lambda cluster: ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    ray.shutdown()


def work(seconds: float) -> Any:
    """A task that takes so long, and says which process on which node has done it."""
    import ray

    def done() -> tuple[int, str]:
        time.sleep(seconds)
        return os.getpid(), ray.get_runtime_context().get_node_id()

    return ray.remote(max_retries=5)(done).remote()


def until(condition: Any, seconds: float = 20.0) -> Any:
    """What the condition comes to once it holds."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def test_both_nodes_work(ray_cluster, join):
    import ray

    join(ray_cluster)
    assert len({node for _, node in ray.get([work(0.5) for _ in range(4)])}) == 2


def test_what_is_killed_is_gone_and_its_tasks_are_done_by_others(join):
    import ray

    pytest.importorskip("ray")
    with LocalCluster(2) as cluster:
        join(cluster)
        tasks = [work(1.0) for _ in range(4)]
        killed = until(lambda: cluster.workers())[0]
        kill(killed)
        assert killed not in {pid for pid, _ in ray.get(tasks)}

        tasks = [work(1.0) for _ in range(4)]
        until(lambda: len(cluster.workers()) == 2)
        cluster.kill_node(cluster.others[0])
        assert len({node for _, node in ray.get(tasks)}) == 1
        cluster.add_node()
        assert len({node for _, node in ray.get([work(0.5) for _ in range(4)])}) == 2
        ray.shutdown()
    assert not cluster.folder.exists()
