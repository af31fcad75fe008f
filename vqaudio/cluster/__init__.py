"""Where work runs: in this process, in several here, or on a Ray cluster; the work and its results are the same."""

from __future__ import annotations

from vqaudio.cluster.local import run_apart
from vqaudio.cluster.opening import open_pool
from vqaudio.cluster.pool import Finished, Pool
from vqaudio.cluster.work import is_careful

__all__ = ["Finished", "Pool", "is_careful", "open_pool", "run_apart"]
