"""One process at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vqaudio.errors import FileError
from vqaudio.files.locking import locked

HOLDER = """
import sys, time
from pathlib import Path
from vqaudio.files.locking import locked

with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_waits_until_the_holder_is_gone(tmp_path):
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waited = threading.Event()

        def waiting() -> None:
            waited.set()
            holder.kill()  # it has no time to give the lock back

        with locked(lock, waiting=waiting):
            assert waited.is_set()


def test_nobody_waits_for_a_free_one(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "lock", waiting=lambda: pytest.fail("it is free")):
            pass


def test_a_lock_that_cannot_be_made_is_named(tmp_path):
    absent: Path = tmp_path / "absent" / "lock"
    with (
        pytest.raises(FileError, match=r"absent/lock: cannot be written \(No such file or directory\); choose"),
        locked(absent),
    ):
        pass
