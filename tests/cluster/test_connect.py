"""Joining a cluster, and every reason why that fails, in one sentence."""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from clusters import LocalCluster

import vqaudio
from vqaudio.cluster import open_pool
from vqaudio.cluster.connect import _found, _reason, connect
from vqaudio.errors import VqaudioError


@pytest.fixture
def listener() -> Iterator[str]:
    """The address of something that takes what it is sent, and says what no cluster would."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b"220 welcome\r\n")

        Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Nothing stays in contact with a cluster."""
    yield
    if ray := sys.modules.get("ray"):
        ray.shutdown()


def refusal(cluster: str, device: str = "cpu") -> str:
    with pytest.raises(VqaudioError) as caught:
        open_pool(cluster, jobs=1, device=device)
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("form", ["{}", "ray://{}"])
def test_where_no_cluster_answers(form, listener):
    pytest.importorskip("ray")
    for address in (listener, "127.0.0.1:1"):
        said = refusal(form.format(address))
        assert said.startswith(f"--cluster {form.format(address)}: no Ray cluster answers there; see whether it runs (")


@pytest.mark.parametrize("address", ["nonsense", "ray://", "host:port", "http://host:80", "a b:1", ":6379"])
def test_what_is_no_address(address):
    pytest.importorskip("ray")
    assert refusal(address).startswith(f"--cluster {address}: is no address; expected auto, HOST:PORT")


def test_without_ray(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else find(name))
    assert refusal("auto") == "--cluster auto needs ray: pip install 'vqaudio[cluster]'"


def test_auto_is_what_runs_here_or_else_begins_here(monkeypatch, tmp_path, listener):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert _found("auto") == "local"
    (tmp_path / "ray").mkdir()
    for left in (listener, "127.0.0.1:1"):
        (tmp_path / "ray" / "ray_current_cluster").write_text(left)
        assert _found("auto") == "local"
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    pytest.importorskip("ray")
    assert refusal("auto").startswith("--cluster auto (RAY_ADDRESS 127.0.0.1:1): no Ray cluster answers there")


@pytest.mark.parametrize(
    ("ray", "python", "said"),
    [
        ("2.9.0", "3.11.7", "runs Ray 2.9.0, and this machine Ray 2.60.0; install the same: pip install 'ray==2.9.0'"),
        ("2.60.0", "3.12.1", "runs Python 3.12.1, and this machine Python 3.11.7; use the same"),
    ],
)
def test_versions_that_differ(ray, python, said):
    message = (
        f"Version mismatch: The cluster was started with:\n    Ray: {ray}\n    Python: {python}\n"
        "This process on node 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )
    assert _reason(RuntimeError(message)) == said


def test_errors_of_other_kinds_are_told_by_their_first_line():
    said = "; see whether it runs and can be reached from here"
    assert _reason(OSError("All is lost.\nBecause of this.")) == f"cannot be joined (All is lost){said}"
    assert _reason(OSError()) == f"cannot be joined (OSError){said}"


# ------------------------------------------------------------------------------------------------------ with clusters


@pytest.mark.slow
def test_versions_of_a_cluster_that_differ(ray_cluster: LocalCluster, monkeypatch: Any):
    ray = pytest.importorskip("ray")
    where = f"--cluster {ray_cluster.address}: "
    with monkeypatch.context() as patch:
        patch.setattr(ray, "__version__", "2.9.0")
        assert refusal(ray_cluster.address).startswith(f"{where}runs Ray ")
    with monkeypatch.context() as patch:
        patch.setattr("ray._private.utils.compute_version_info", lambda: (ray.__version__, "3.9.1"))
        assert refusal(ray_cluster.address).startswith(
            f"{where}runs Python {sys.version.split()[0]}, and this machine "
        )
    with monkeypatch.context() as patch:
        patch.setattr(vqaudio, "__version__", "99.0")
        said = refusal(ray_cluster.address)
        assert said.startswith(f"{where}node {socket.gethostname()} has vqaudio ")
        assert said.endswith(", and this machine 99.0; install vqaudio 99.0 on every node")
    assert refusal(ray_cluster.address, "cuda").endswith("none of its nodes has a GPU; leave out --device cuda")
    assert refusal(ray_cluster.address, "cuda:1").endswith("say --device cuda; the cluster chooses which")
    assert not ray.is_initialized()


@pytest.mark.slow
def test_auto_joins_the_cluster_that_runs_here(ray_cluster: LocalCluster, monkeypatch: Any):
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(ray_cluster.folder))
    record = Path(ray_cluster.folder, "ray", "ray_current_cluster")
    record.parent.mkdir(exist_ok=True)
    record.write_text(ray_cluster.address)
    try:
        with open_pool("auto", jobs=1) as pool:
            assert pool.workers == 2
            assert ray.get_runtime_context().gcs_address == ray_cluster.address
    finally:
        record.unlink()
    assert not ray.is_initialized()


@pytest.mark.parametrize(("refused", "joined"), [(2, True), (3, False)])
def test_a_busy_server_of_ray_client_is_asked_again(refused, joined, monkeypatch):
    """It gives up starting a process for a client before the client does."""
    ray = pytest.importorskip("ray")
    said = "Initialization failure from server:\nTraceback (most recent call last):\nRuntimeError: Proxy failed."
    calls: list[str] = []

    def init(address: str, **_: Any) -> None:
        calls.append(address)
        if len(calls) <= refused:
            raise ConnectionAbortedError(said)

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr("vqaudio.cluster.connect._expect_answer", lambda *_: None)
    monkeypatch.setattr("vqaudio.cluster.connect._check_nodes", lambda *_: None)
    if joined:
        assert connect("ray://127.0.0.1:10001")[1]
    else:
        assert "cannot be joined (RuntimeError: Proxy failed); see" in refusal("ray://127.0.0.1:10001")
    assert calls == ["ray://127.0.0.1:10001"] * 3
