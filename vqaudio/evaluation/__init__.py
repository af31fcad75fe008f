"""How good decoded speech is, at which rate, beside which other codecs: what ``python -m vqaudio.evaluate`` runs.

::

    clips (──▶ noise) ──▶ peers (every codec, ours included, as a System) ──▶ metrics, judges ──▶ scoring ──▶ report
"""

from __future__ import annotations

import importlib
from types import ModuleType

from vqaudio.errors import VqaudioError, install


class EvaluationError(VqaudioError):
    """Nothing to evaluate, or a tool or package missing that the evaluation needs."""


def require(package: str, extra: str = "eval") -> ModuleType:
    """Import a package of an extra, which is ``eval`` or ``judges``.

    Raises:
        EvaluationError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise EvaluationError(
            f"evaluation needs the Python package {error.name}, which is not installed: {install(extra)}"
        ) from None
