"""Several processes want a corpus at once: one decodes it, and another goes on where that one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_models import RATE, sound

from vqaudio.training.corpus import read_corpus

READER = """
import os, sys, time
from pathlib import Path
from vqaudio.training import corpus

folder, rate = Path(sys.argv[1]), int(sys.argv[2])
read = corpus._read_one

def noted(path, sample_rate):
    with open(folder / "log", "a") as log:
        print(os.getpid(), path.name, file=log)
    time.sleep(0.2)
    return read(path, sample_rate)

corpus._read_one, corpus.FILES_A_PART = noted, 2
print("begun", flush=True)
made = corpus.read_corpus(sorted(folder.glob("*.wav")), rate, cache=folder / "cache", title="reading")
print(made.samples.astype(int).sum(), len(made.samples), made.offsets.tolist())
"""
FILES = 12


def log_of(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "log").read_text().splitlines()] if (folder / "log").exists() else []


@pytest.mark.slow
@pytest.mark.parametrize("kills", [0, 1])
def test_one_process_decodes_for_all(tmp_path, kills):
    for index in range(FILES):
        soundfile.write(tmp_path / f"{index:02}.wav", sound(300 + index, seed=index)[0], RATE, subtype="PCM_16")
    expected = read_corpus(sorted(tmp_path.glob("*.wav")), RATE)
    command = [sys.executable, "-c", READER, str(tmp_path), str(RATE)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    deadline = time.monotonic() + 120
    while len(log_of(tmp_path)) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    killed = int(log_of(tmp_path)[0][0]) if kills else None
    if killed is not None:
        os.kill(killed, signal.SIGKILL)
    said = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        if process.pid == killed:
            assert process.returncode == -signal.SIGKILL
        else:
            assert process.returncode == 0, err
            said.append(out.partition("\n")[2])
    total = expected.samples.astype(int).sum()
    assert set(said) == {f"{total} {len(expected.samples)} {expected.offsets.tolist()}\n"}
    names = [name for _, name in log_of(tmp_path)]
    assert len({pid for pid, _ in log_of(tmp_path)}) == 1 + kills
    assert sorted(set(names)) == [f"{index:02}.wav" for index in range(FILES)]
    assert FILES <= len(names) <= FILES + 2 * kills  # the files of one part
    assert len(list((tmp_path / "cache").iterdir())) == 2
    np.testing.assert_array_equal(
        read_corpus(sorted(tmp_path.glob("*.wav")), RATE, cache=tmp_path / "cache").samples, expected.samples
    )
