"""Joining a Ray cluster, or starting one here; whatever stands in the way is one sentence."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import re
import socket
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from vqaudio.errors import VqaudioError, install

ANSWER_SECONDS = 5.0
"""So long a cluster may take to say a word."""
START_SECONDS = 120.0
"""So long a node may take to start a worker, which imports its packages from a slow disk perhaps."""
ATTEMPTS = 3
"""By Ray Client, whose server starts a process for whoever comes, and does without where its machine is busy."""
NOT_STARTED = "Initialization failure from server"
"""What Ray says then, and after it the error there."""


def connect(cluster: str) -> tuple[Any, bool]:
    """The module of Ray, in contact with a cluster, and whether that contact is ours to end.

    Args:
        cluster: ``HOST:PORT``, or ``ray://HOST:PORT`` of a cluster that can be reached by Ray Client alone; or
            ``auto``: what ``RAY_ADDRESS`` names, else a cluster that runs on this machine, else one that starts here
            and ends with the contact. Where this process is in contact already, that is kept.

    Raises:
        VqaudioError: Ray is not installed, nobody answers, or the cluster has another version of Ray, Python or this
            package, or asks for a token.
    """
    if importlib.util.find_spec("ray") is None:
        raise VqaudioError(f"--cluster {cluster} needs ray: {install('cluster')}")
    # Losses of workers and nodes would be told on standard output, where results go, whatever ``log_to_driver`` says.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    import ray

    if ray.is_initialized():
        return ray, False
    address = _found(cluster)
    if address != "local":
        _expect_answer(cluster, address)
    own: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is said below, or of what Ray will be one day
            _join(ray, address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except Exception as error:
        raise VqaudioError(f"--cluster {cluster}: {_reason(error)}") from None
    try:
        _check_nodes(ray, cluster)
    except BaseException:
        ray.shutdown()
        raise
    return ray, True


def _join(ray: Any, address: str, **how: Any) -> None:
    """``ray.init``, again where a busy server has refused it."""
    for _ in range(ATTEMPTS - 1):
        try:
            ray.init(address, **how)
            return
        except ConnectionError as error:
            if NOT_STARTED not in str(error):
                raise
    ray.init(address, **how)


def _found(cluster: str) -> str:
    """The address that a cluster is called by; ``local`` for one that is to be started."""
    if cluster != "auto":
        return cluster
    if named := os.environ.get("RAY_ADDRESS"):
        return named
    record = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray" / "ray_current_cluster"
    with suppress(OSError):  # of a cluster that ended otherwise than by ``ray stop``, the record is still there
        address = record.read_text(encoding="utf-8").strip()
        if address and _answers(*_parts(address)):
            return address
    return "local"


def _parts(address: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        VqaudioError: it is no address.
    """
    found = re.fullmatch(r"(?:ray://)?\[?([^/\s]+?)\]?:([0-9]{1,5})", address)
    if not found:
        raise VqaudioError(
            f"--cluster {address}: is no address; expected auto, HOST:PORT (6379 unless chosen otherwise) or "
            "ray://HOST:PORT (10001)"
        )
    return found[1], int(found[2])


def _expect_answer(cluster: str, address: str) -> None:
    """Do nothing where somebody listens: Ray would try for minutes, say much of it, and may end the process.

    Raises:
        VqaudioError: nobody does.
    """
    host, port = _parts(address)
    if not _answers(host, port):
        where = "" if cluster == address else f" (RAY_ADDRESS {address})"
        raise VqaudioError(
            f"--cluster {cluster}{where}: no Ray cluster answers there; see whether it runs (ray status --address "
            f"{host}:{port}) and can be reached from here, or give auto to start one on this machine"
        )


def _answers(host: str, port: int) -> bool:
    """Whether something at the address speaks HTTP/2, as Ray's services do."""
    greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)  # RFC 9113, 3.4: empty SETTINGS
    try:
        with socket.create_connection((host, port), timeout=ANSWER_SECONDS) as peer:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return True
            peer.sendall(greeting)
            return peer.recv(9)[3:4] == b"\x04"  # their SETTINGS
    except (OSError, OverflowError):
        return False


def _reason(error: Exception) -> str:
    """What to say of an error of ``ray.init``."""
    said = str(error)
    rays, pythons = re.findall(r"Ray: (\S+)", said), re.findall(r"Python: (\S+)", said)
    if len(rays) == 2 and rays[0] != rays[1]:
        return f"runs Ray {rays[0]}, and this machine Ray {rays[1]}; install the same: pip install 'ray=={rays[0]}'"
    if len(pythons) == 2 and pythons[0] != pythons[1]:
        return f"runs Python {pythons[0]}, and this machine Python {pythons[1]}; use the same"
    if type(error).__name__ == "AuthenticationError":
        return (
            "asks for another token; put the cluster's into RAY_AUTH_TOKEN, or a file's name into RAY_AUTH_TOKEN_PATH"
        )
    lines = said.strip().splitlines() or [type(error).__name__]
    line = lines[-1 if NOT_STARTED in said else 0].rstrip(".")
    return f"cannot be joined ({line}); see whether it runs and can be reached from here"


def _check_nodes(ray: Any, cluster: str) -> None:
    """Do nothing where every node has this package in this version: others would write other bytes, or none.

    Raises:
        VqaudioError: one has not.
    """
    package = __name__.partition(".")[0]

    def version() -> str:  # a function within one travels whole: the node need not have its module
        try:
            return str(importlib.import_module(package).__version__)
        except ImportError:
            return ""

    ours = version()
    at = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(version)
    asked = {
        task.options(num_cpus=0, scheduling_strategy=at(node["NodeID"], soft=False)).remote(): node
        for node in ray.nodes()
        if node["Alive"]
    }
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=START_SECONDS)
    for reference in answered:
        name = asked[reference]["NodeManagerHostname"]
        try:
            theirs = ray.get(reference)
        except ray.exceptions.RayError:  # it has gone meanwhile: its share is done by others
            continue
        if theirs != ours:
            what = f"{package} {theirs}, and this machine {ours}" if theirs else f"no {package}"
            raise VqaudioError(f"--cluster {cluster}: node {name} has {what}; install {package} {ours} on every node")
