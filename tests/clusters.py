"""Ray clusters of several nodes on this machine: one that slow tests share, and others whose nodes are killed.

Each has a folder, ports and a record of its address to itself: clusters of other processes, as pytest-xdist has, never
meet. Tests give its ``address`` to what they test, as ``--cluster`` for one, and leave the one that they share, the
fixture ``ray_cluster``, as they found it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

PER_NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}  # bytes; less than 75 MB is refused
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")  # with which a node ends
DIES = 30.0  # seconds after which a process that was killed must be gone


class LocalCluster:
    """A cluster of nodes that are processes here; ``address`` is what a driver joins it by.

    The first node holds the cluster's own record of itself (GCS) and stays as long as the cluster. A node's processes
    are a raylet, its agents and the workers that it has started.
    """

    def __init__(self, nodes: int, **each: Any):
        from ray.cluster_utils import Cluster  # late: an extra

        self._each = {**PER_NODE, **each}
        self.folder = Path(tempfile.mkdtemp(prefix="vq-ray-", dir="/tmp"))  # a socket's path has 107 bytes at most
        self._cluster = Cluster()
        try:
            for _ in range(nodes):
                self.add_node()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Host and port."""
        return str(self._cluster.gcs_address)

    @property
    def others(self) -> list[Any]:
        """Its nodes beside the first: what :meth:`kill_node` takes."""
        return list(self._cluster.worker_nodes)

    def add_node(self) -> Any:
        """Start one more; it is up on return."""
        first = self._cluster.head_node is None
        more = {"include_dashboard": False, "include_log_monitor": False} if first else {}
        with self._surroundings():
            return self._cluster.add_node(temp_dir=str(self.folder / "ray"), **more, **self._each)

    def kill_node(self, node: Any) -> None:
        """As when a machine fails: SIGKILL to its raylet and everything that the raylet has started."""
        import psutil  # Ray has it

        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        killed = [raylet, *raylet.children(recursive=True)]
        for process in killed:
            kill(process.pid)
        with self._surroundings():
            self._cluster.remove_node(node, allow_graceful=False)
        _, alive = psutil.wait_procs(killed, timeout=DIES)
        assert not alive, f"still running after SIGKILL: {alive}"

    def workers(self) -> list[int]:
        """Process ids of the workers that hold a task or an actor now."""
        titles = self.processes()
        busy = (pid for pid, title in titles.items() if title.startswith("ray::"))
        return [pid for pid in busy if not titles[pid].startswith(("ray::IDLE", *AGENTS))]

    def processes(self) -> dict[int, str]:
        """All of Ray's processes, by id, with their command lines."""
        import psutil

        found = {}
        for node in self._cluster.list_all_nodes():
            for started in [each.process.pid for several in node.all_processes.values() for each in several]:
                with suppress(psutil.Error):  # gone meanwhile
                    process = psutil.Process(started)
                    for each in [process, *process.children(recursive=True)]:
                        with suppress(psutil.Error):
                            found[each.pid] = " ".join(each.cmdline())
        return found

    def close(self) -> None:
        """End all nodes and remove what they wrote; again, it does nothing."""
        with self._surroundings():
            self._cluster.shutdown()
        end = time.monotonic() + DIES
        while self.folder.exists() and time.monotonic() < end:  # what ends may write a last line
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Where ``ray.init("auto")`` looks for an address is this cluster's folder, and not the one of all users.

        Ray's workers would stand back behind whatever else runs here (niceness 15), and hardly move on a busy machine.
        """
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RAY_TMPDIR", str(self.folder))
            patch.setenv("RAY_worker_niceness", "0")
            yield


def kill(pid: int) -> None:
    """SIGKILL, where the process is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[LocalCluster]:
    """Two nodes of one CPU each, up for all slow tests of this process; skipped where Ray is not there."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'vqaudio[cluster]'")
    with LocalCluster(2) as cluster:
        yield cluster
