"""What a model's file says of itself, in a few figures. No torch: only its metadata are parsed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vqaudio.config.model import ModelConfig
from vqaudio.config.reading import parse
from vqaudio.container import Stream
from vqaudio.errors import ConfigError, ModelError
from vqaudio.prior.entropy import prior_of
from vqaudio.registry import DEFAULT_MODEL, MODELS, decoder_of, find, fingerprint, models_here


def models() -> list[dict[str, Any]]:
    """The models that are here, and what for: of sound, with all that :func:`facts_of` tells, then of tables.

    ``about`` is how a model's card begins, up to the first colon or the end of the sentence.
    """
    tables = sorted((MODELS / "series").glob("*.safetensors"))
    return [*map(_of_sound, models_here()), *map(_of_tables, tables)]


def _of_sound(name: str) -> dict[str, Any]:
    path = find(name)
    known = {"name": name, "default": name == DEFAULT_MODEL, "for": "sound", "about": _about(path)}
    return known | facts_of(path)


def _of_tables(path: Path) -> dict[str, Any]:
    return {
        "name": path.stem,
        "for": "tables",
        "about": _about(path),
        "fingerprint": fingerprint(path),
        "bytes": path.stat().st_size,
    }


def _about(path: Path) -> str:
    if not path.with_suffix(".md").exists():  # not written yet
        return ""
    paragraph = path.with_suffix(".md").read_text(encoding="utf-8").split("\n\n")[1]
    return re.split(r"[:.](?:\s|$)", " ".join(paragraph.split()))[0]


def facts_of(path: Path) -> dict[str, Any]:
    """Codes, rates, decoder and sizes of a model of sound; ``kbps`` is that of one channel with all codebooks.

    Raises:
        ModelError: no such file, or no model of sound.
    """
    codes, decoder, metadata = fingerprint(path), decoder_of(path), _metadata(path)
    try:
        config = parse(ModelConfig, json.loads(metadata["config"]), source=str(path))
    except (KeyError, ValueError, RecursionError, ConfigError):
        raise ModelError(f"{path}: is no model of sound; expected one that python -m vqaudio.train wrote") from None
    streams = [Stream(*pair) for pair in config.bottleneck.streams]
    prior = prior_of(codes)
    speakers = config.speakers or (() if prior is None else _speakers(prior))
    return {
        "fingerprint": codes,
        "decoder_version": decoder.version,
        "decoder_fingerprint": decoder.fingerprint,
        "decode_only": "decode_only" in metadata,
        "sample_rate_hz": config.sample_rate,
        "frame_rate_hz": config.frame_rate,
        "codebook_sizes": [stream.alphabet for stream in streams],
        "kbps": round(sum(config.frame_rate * stream.bits / stream.stride for stream in streams) / 1000, 3),
        "speakers": len(speakers),
        "bytes": path.stat().st_size,
        "prior_fingerprint": None if prior is None else fingerprint(prior),
        "prior_bytes": 0 if prior is None else prior.stat().st_size,
    }


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is not a readable safetensors file ({error})") from None


def _speakers(prior: Path) -> list[str]:
    return list(json.loads(_metadata(prior)["config"])["fields"].get("speaker", ()))
