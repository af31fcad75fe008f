"""Commands that make tokens as processes of their own, whose workers, nodes or themselves are killed midway.

What is killed when is decided by how far the work is, from a seed: on a slow machine it is killed at the same places.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from clusters import LocalCluster, kill

from vqaudio import tokens

MODEL = Path(__file__).parent / "golden" / "tiny.safetensors"
OF_THE_CLOCK = ("times_real_time", "wall_seconds", "worker_seconds")
Found = TypeVar("Found")


class Tokenizing:
    """``python -m vqaudio.tokenize SOURCE OUT`` with the tiny model."""

    def __init__(self, source: Path, out: Path, *options: object):
        self.out = out
        given = [source, out, "--model", MODEL, "--quiet", *options]
        command = [sys.executable, "-m", "vqaudio.tokenize", *map(str, given)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def done(self) -> int:
        """How many shards are there."""
        return len(shards(self.out))

    def wait_for(self, condition: Callable[[], Found], seconds: float = 120.0) -> Found | None:
        """What the condition comes to once it holds, or None where the command ends before that."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if found := condition():
                return found
            assert time.monotonic() < end, f"nothing came in {seconds:g} s"
            time.sleep(0.005)
        return None

    def end(self, seconds: float = 240.0) -> tuple[int, str]:
        """Its exit status, and what it said."""
        try:
            said, _ = self.process.communicate(timeout=seconds)
        finally:
            self.kill()
        return self.process.returncode, said

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def kill_midway(run: Tokenizing, cluster: LocalCluster, n_parts: int, what: str, random: Random) -> int:
    """Kill workers (``w``) and nodes (``n``) in the order of ``what``, each once so many shards are there.

    A node that was killed is replaced. Returns how many were killed before the command came to its end.
    """
    killed = 0
    for kind, moment in zip(what, sorted(random.sample(range(n_parts - 4), len(what))), strict=True):
        if run.wait_for(lambda moment=moment: run.done() >= moment and cluster.workers()) is None:
            break
        if kind == "n":
            cluster.kill_node(random.choice(cluster.others))
            cluster.add_node()
        elif workers := run.wait_for(cluster.workers):
            kill(random.choice(sorted(workers)))
        else:
            break
        killed += 1
    return killed


def shards(out: Path) -> dict[str, bytes]:
    """The shards of tokens, by name."""
    return {path.name: path.read_bytes() for path in sorted(out.glob(f"*{tokens.SUFFIX}"))}


def manifest(out: Path) -> dict[str, Any]:
    """What ``_manifest.json`` says, without what depends on the clock."""
    said: dict[str, Any] = json.loads((out / "_manifest.json").read_text(encoding="utf-8"))
    return {name: value for name, value in said.items() if name not in OF_THE_CLOCK}
