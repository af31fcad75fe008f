"""Which pool a command line asks for."""

from __future__ import annotations

from vqaudio.cluster.pool import Pool


def open_pool(cluster: str | None, *, jobs: int, device: str = "cpu", apart: bool = False) -> Pool:
    """Workers on a cluster, or else here.

    Args:
        cluster: ``auto``, the address of a Ray cluster, or None for this machine alone.
        jobs: processes on this machine, where there is no cluster: one is this process itself. A cluster has as many
            as it has room for.
        apart: whether one is a process beside this one too, which takes a second to start: then an item that kills
            whoever works on it fails alone.
        device: what the work needs a worker to have: with ``cuda`` each takes a GPU of the cluster.

    Raises:
        VqaudioError: Ray is not installed, or the cluster cannot be joined.
    """
    if cluster is not None:
        from vqaudio.cluster.ray_pool import RayPool  # late: Ray is an extra

        return RayPool(cluster, device=device)
    from vqaudio.cluster.local import InProcess, LocalPool

    return InProcess() if jobs == 1 and not apart else LocalPool(jobs)
