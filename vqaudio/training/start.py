"""Weights to start from: those of another model, whose parts may be of other depths, look-ahead or codebooks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqaudio.errors import ModelError
from vqaudio.inference.spans import Span
from vqaudio.model.autoencoder import Autoencoder
from vqaudio.model.checkpoint import Checkpoint
from vqaudio.model.layers import ResidualUnit
from vqaudio.registry import encoder_remedy


def start_from(model: Autoencoder, source: Checkpoint, *, name: str) -> None:
    """Give a model the weights of another, which was loaded by the ``name`` that errors say.

    Speakers, more codebooks and a bottleneck of another kind start afresh: codebooks that were added are dead at first,
    and re-seeded from data.

    Raises:
        ModelError: the other model has no encoder, or does not fit.
    """
    start = source.model
    if start.decode_only:
        raise ModelError(
            f"init_from: {name} decodes only, and there is no encoder to start from: "
            f"{encoder_remedy(source.fingerprint, '--set init_from=')}"
        )
    new = ("decoder.speaker_embedding.", ".film.") if start.config.speakers != model.config.speakers else ()
    if start.config.bottleneck.kind != model.config.bottleneck.kind:
        new = (*new, "bottleneck.")
    for stream in range(len(start.bottleneck.streams), len(model.bottleneck.streams)):
        new = (*new, *(f"bottleneck.{tensor}" for tensor in model.bottleneck.stream_tensors(stream)))
    known = {name: value for name, value in start.state_dict().items() if not any(part in name for part in new)}
    for part in ("encoder", "decoder"):
        known = _fitted(known, part, start=getattr(start, part).layers, end=getattr(model, part).layers)
    own = {name: value for name, value in model.state_dict().items() if any(part in name for part in new)}
    try:
        model.load_state_dict(known | own)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"init_from: {name} does not fit this run's model ({reason}); copy its config") from None


def _fitted(tensors: dict[str, Tensor], part: str, *, start: nn.Sequential, end: nn.Sequential) -> dict[str, Tensor]:
    """The tensors of a model by the names, and in the shapes, that one with more units, or other look-ahead, has them.

    Units that were added begin with a scale of 0, which leaves the network as it was. Of kernels each tap keeps its
    place in time, or falls away. What differs otherwise stays as it is, and does not fit.
    """
    prefix = f"{part}.layers."
    fitted = {name: value for name, value in tensors.items() if not name.startswith(prefix)}
    old = 0
    for new, layer in enumerate(end):
        before = start[old] if old < len(start) else None
        if isinstance(layer, ResidualUnit) and not isinstance(before, ResidualUnit):
            own = {**layer.state_dict(), "scale": torch.zeros_like(layer.scale)}
        else:
            found = f"{prefix}{old}."
            own = {name[len(found) :]: value for name, value in tensors.items() if name.startswith(found)}
            if isinstance(layer, ResidualUnit) and isinstance(before, ResidualUnit):
                own["mix_time.weight"] = _moved(own["mix_time.weight"], before.span, layer.span)
            old += 1
        fitted |= {f"{prefix}{new}.{name}": value for name, value in own.items()}
    return fitted if old == len(start) else tensors


def _moved(kernel: Tensor, old: Span, new: Span) -> Tensor:
    """A kernel ``(..., taps)`` of another span: zeros are added, or taps taken away, at either end."""
    return functional.pad(kernel, (new.left - old.left, new.right - old.right))
