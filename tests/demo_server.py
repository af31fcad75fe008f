"""The demo as its users meet it: a process of its own, and two small models for it to offer."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from tiny_models import spectral_config

from vqaudio.model import checkpoint
from vqaudio.model.autoencoder import Autoencoder

ROOT = Path(__file__).parents[1]
START_SECONDS = 120  # until the page must be up, on a machine that is busy with other tests


@dataclass
class Served:
    """A running demo: where, its temporary files, and what it says."""

    url: str
    temporary: Path
    log: Path


@contextmanager
def serving(folder: Path, *command: str) -> Iterator[Served]:
    """``python -m demo`` with further arguments, or another ``command`` that ends in ``.py``, on a free port."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = [*command] if command and command[-1].endswith(".py") else ["-m", "demo", "--port", port, *command]
    environment = os.environ | {
        "TMPDIR": str(folder),
        "PYTHONPATH": str(ROOT),
        "GRADIO_SERVER_PORT": port,
        "VQAUDIO_DATA": str(folder / "no-recordings"),
    }
    environment.pop("GRADIO_TEMP_DIR", None)
    log = folder / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, *started], cwd=ROOT, env=environment, stdout=file, stderr=file)
    served = Served(f"http://127.0.0.1:{port}/", folder, log)
    try:
        _wait(served, process)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(served: Served, process: subprocess.Popen[bytes]) -> None:
    for _ in range(START_SECONDS * 5):
        assert process.poll() is None, served.log.read_text()
        try:
            with urllib.request.urlopen(served.url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"the page was not up within {START_SECONDS} s: {served.log.read_text()}")


def save_voices(path: Path) -> Path:
    """An untrained model of some thousand weights with two voices."""
    config = spectral_config().model_copy(update={"speakers": ("ann", "bob")})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint.save(Autoencoder(config).eval(), path)
    return path
