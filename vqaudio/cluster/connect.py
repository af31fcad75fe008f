"""Joining a Ray cluster, or starting one here."""

from __future__ import annotations

import importlib.util
from typing import Any

from vqaudio.errors import VqaudioError, install


def connected(cluster: str) -> tuple[Any, bool]:
    """The module of Ray, in contact with a cluster, and whether that contact is ours to end.

    Raises:
        VqaudioError: Ray is not installed, or nobody answers.
    """
    if importlib.util.find_spec("ray") is None:
        raise VqaudioError(f"--cluster {cluster} needs ray: {install('cluster')}")
    import ray

    if ray.is_initialized():
        return ray, False
    try:
        ray.init(None if cluster == "auto" else cluster, include_dashboard=False if cluster == "auto" else None)
    except ConnectionError as error:
        raise VqaudioError(f"--cluster {cluster}: nobody answers there ({error})") from None
    return ray, True
