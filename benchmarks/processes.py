"""What Linux tells of processes: which others a process has started, and their memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def family(pid: int) -> Iterator[int]:
    """A process, and all below it that are still there."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:  # it is gone
        return
    for child in children.split():
        yield from family(int(child))


def memory(pid: int | str, name: str) -> int:
    """Bytes of a process's memory, by the kernel's name for it; 0 once the process is gone.

    ``VmHWM`` is the most that was resident so far, in which getrusage would count what its parent had; ``RssAnon`` what
    is resident of its own, without pages of files. ``self`` is the process that asks.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:")), 0)
