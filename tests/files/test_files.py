"""Inputs that can seek, and outputs that are whole or not there at all."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sounds import run_in_pipes

from vqaudio.errors import FileError, VqaudioError
from vqaudio.files import atomic_write, open_input, refuse_existing


def test_a_failure_leaves_the_target_as_it_was(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_write(target) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_write(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


def test_permissions_follow_the_umask_or_the_file_replaced(tmp_path):
    target = tmp_path / "a"
    old = os.umask(0o027)
    try:
        with atomic_write(target):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    target.chmod(0o604)
    with atomic_write(target):
        pass
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / "real", tmp_path / "link"
    link.symlink_to(real)
    for content in (b"first", b"second"):  # dangling, then not
        with atomic_write(link) as file:
            file.write(content)
        assert link.is_symlink()
        assert real.read_bytes() == content


def test_a_device_is_written_into_not_replaced():
    with atomic_write("/dev/null") as file:
        file.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_output_that_cannot_be_written_gets_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path, message in (
        (tmp_path / "no" / "a.vq", "a.vq: its folder does not exist"),
        (tmp_path / "file" / "a.vq", "a.vq: its folder is a file"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(FileError, match=message), atomic_write(path):
            pytest.fail("opened")
    with pytest.raises(FileError, match="/dev/full: the disk is full"), atomic_write("/dev/full") as file:
        file.write(b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="not allowed to write"), atomic_write(tmp_path / "a"):
        pytest.fail("opened")
    tmp_path.chmod(0o700)


def test_errors_about_other_files_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a"):
        (tmp_path / "other").read_bytes()


def test_refuse_existing(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(FileError, match="exists already; add --force"):
        refuse_existing(tmp_path / "a", force=False)
    refuse_existing(tmp_path / "a", force=True)
    for path in (tmp_path / "b", "-", "/dev/null"):
        refuse_existing(path, force=False)
    assert issubclass(FileError, VqaudioError)


def test_a_reader_that_stops_early_gets_one_sentence():
    script = """
import sys
from vqaudio.errors import FileError
from vqaudio.files import atomic_write
try:
    with atomic_write("-") as file:
        for _ in range(1000):
            file.write(bytes(1000))
except FileError as error:
    print(error, file=sys.stderr)
"""
    done = run_in_pipes(script, "head -c 10 > /dev/null")
    assert done.stderr.decode() == "standard output: the program reading it stopped early; the output is incomplete\n"


def test_a_named_pipe_becomes_an_input_that_can_seek(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"0123456789" * 30_000,))
    writer.start()
    with open_input(pipe) as file:
        assert file.seek(-3, io.SEEK_END) == 299_997
        assert file.read() == b"789"
    writer.join()


KILLED = """
import os, signal, sys
from vqaudio.files import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write(bytes(100_000))
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="this system names its temporary files")
def test_a_kill_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "out"], cwd=Path.cwd(), check=False)
    assert done.returncode == -signal.SIGKILL
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out": b"old"}


def test_where_files_need_names_they_have_one_until_the_end(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    with atomic_write(tmp_path / "out") as file:
        file.write(b"new")
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out": b"new"}
