"""What several processes do together: one that fails ends all, one that is lost does too, and all see one folder."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tiny_runs import run_python, two_process_config, written

from vqaudio.errors import FileError, LostProcessError
from vqaudio.training import ranks
from vqaudio.training.ranks import Ranks

# As `python -m vqaudio.train`, but one process runs out of memory at some step, on its own.
FAILING = """
import sys
from vqaudio.train import main
from vqaudio.training.codec import CodecTask

batch = CodecTask.batch

def failing(self, network, step, *, rank, fraction):
    if (step, rank) == (2, int(sys.argv[2])):
        raise MemoryError("Unable to allocate 9 TiB")
    return batch(self, network, step, rank=rank, fraction=fraction)

CodecTask.batch = failing
raise SystemExit(main([sys.argv[1]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_fails_ends_all_of_them_with_its_one_sentence(tmp_path, rank):
    worker = tmp_path / "worker.py"
    worker.write_text(FAILING, encoding="utf-8")
    done = run_python(str(worker), written(two_process_config(tmp_path), tmp_path), str(rank))
    assert done.returncode == 1
    sentence = f"error: process {rank + 1} of 2: memory is not enough (Unable to allocate 9 TiB): lower data.batch_size"
    assert done.stderr.count("error:") == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_what_fails_in_all_processes_is_said_once(tmp_path):
    config = two_process_config(tmp_path).model_copy(update={"init_from": str(tmp_path / "none.safetensors")})
    done = run_python("-m", "vqaudio.train", written(config, tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "none.safetensors: no such model" in done.stderr


def second_of_two(folder: Path, monkeypatch: pytest.MonkeyPatch, *, first: Any = None) -> Ranks:
    """The second process of two, without the first: what that one does before a sum over both is ``first(mark)``."""
    monkeypatch.setattr(ranks, "_shared_counters", lambda fabric: None)
    fabric = SimpleNamespace(world_size=2, global_rank=1, is_global_zero=False, broadcast=lambda value: "token")
    made = Ranks(fabric, lambda: "go on with --resume")  # type: ignore[arg-type]

    def sums(*values: float) -> list[float]:
        if first is not None:
            first(folder / ".token")
        return list(values)

    monkeypatch.setattr(made, "max_over_ranks", sums)
    return made


def test_a_folder_that_another_machine_does_not_see_is_told_with_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "SEEN_SECONDS", 0.0)
    monkeypatch.setattr(ranks.socket, "gethostname", lambda: "node7")
    with pytest.raises(
        FileError, match=r"^process 2 of 2: node7 does not see what .* storage that all machines share$"
    ):
        second_of_two(tmp_path, monkeypatch).all_see(tmp_path)
    second_of_two(tmp_path, monkeypatch, first=Path.touch).all_see(tmp_path)


def test_a_sum_that_lacks_a_process_is_a_sentence_and_other_errors_are_not(tmp_path, monkeypatch):
    both = second_of_two(tmp_path, monkeypatch)
    monkeypatch.setattr(both, "_counters", object())
    monkeypatch.setattr(both, "_watch", lambda done: None)
    monkeypatch.setattr(both, "_count", lambda name, more=1: 1)
    gloo = "[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [10.0.0.1]:51422"
    match = r"^process 2 of 2: another one is gone .*; go on with --resume$"
    with pytest.raises(LostProcessError, match=match), both.together():
        raise RuntimeError(gloo)
    monkeypatch.setattr(ranks, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(RuntimeError, match="shapes"), both.together():
        raise RuntimeError("shapes differ")


class Store:
    """The first process's counters: those of the others stand still, but for the second's."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, name: str, more: int) -> int:
        self.counts[name] = self.counts.get(name, 0) + (more or name == "alive 1")
        return self.counts[name]


def test_the_first_process_notices_one_that_gives_no_sign_any_more(tmp_path, monkeypatch):
    first = second_of_two(tmp_path, monkeypatch)
    monkeypatch.setattr(first, "fabric", SimpleNamespace(world_size=3, global_rank=0))
    monkeypatch.setattr(first, "_counters", Store())
    clock = [0.0]
    monkeypatch.setattr(ranks.time, "monotonic", lambda: clock[0])
    found = []
    for clock[0] in (0.0, ranks.LOST_SECONDS, ranks.LOST_SECONDS + 1.0):
        found.append(first._lost())
    assert found == [None, None, 2]
