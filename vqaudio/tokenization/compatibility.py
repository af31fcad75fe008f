"""Whether tokens that are there already are those that a run makes."""

from __future__ import annotations

import json
from typing import Any

from vqaudio.errors import ModelError
from vqaudio.tokenization.settings import Tokenizing
from vqaudio.tokens import Header


def refuse_others(how: Tokenizing, form: str, fingerprint: str, settings: dict[str, Any], source: str) -> None:
    """Do nothing if tokens that are in OUT are those that this run makes.

    Raises:
        ModelError: they are of another model, form, source, or made with other settings.
    """
    ours = json.loads(how.settings)
    if fingerprint != how.fingerprint:
        found = f"holds tokens of the model {fingerprint}, not of {how.model} ({how.fingerprint})"
    elif form != how.format:
        found = f"holds tokens as {form}, not as {how.format}"
    elif others := [name for name in ours if name != "source" and settings.get(name) != ours[name]]:
        said = ", ".join(f"{name} {json.dumps(settings.get(name))}, now {json.dumps(ours[name])}" for name in others)
        found = f"was made with other settings ({said})"
    elif settings.get("source") != ours["source"]:
        found = f"holds tokens of another source{source and f' ({source})'}, or of what this one was before"
    else:
        return
    raise ModelError(f"{how.out}: {found}; choose another OUT")


def check_header(how: Tokenizing, header: Header) -> None:
    """:func:`refuse_others` for what a shard says of itself.

    Raises:
        ModelError: it is of others.
    """
    try:
        settings = json.loads(header.settings or "{}")
    except ValueError:
        settings = {}
    refuse_others(how, how.format, header.origin.codec, settings, "")
