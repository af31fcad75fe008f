"""A batch of mono sounds of different lengths, and its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vqaudio.codec.loaded import LoadedModel
from vqaudio.container import Stream
from vqaudio.errors import AudioError


def lengths_of(padding_mask: Tensor, batch: int) -> list[int]:
    """How many samples of each sound are its own, by a mask ``(batch, samples)`` or ``(batch, 1, samples)``.

    Raises:
        AudioError: of another shape, with holes or padding in front, or a sound without samples.
    """
    mask = padding_mask[:, 0] if padding_mask.ndim == 3 and padding_mask.shape[1] == 1 else padding_mask
    if mask.ndim != 2 or len(mask) != batch:
        raise AudioError(
            f"padding_mask has the shape {tuple(padding_mask.shape)}, expected (batch, samples) for {batch} sounds"
        )
    own = mask.bool()
    lengths = own.sum(1)
    if not torch.equal(own, torch.arange(mask.shape[1], device=mask.device) < lengths[:, None]):
        raise AudioError("padding_mask has zeros in front of ones, expected ones and then zeros: pad on the right")
    found = [int(length) for length in lengths]
    if 0 in found:
        raise AudioError(f"padding_mask leaves no samples of sound {found.index(0)}: leave that out of the batch")
    return found


@dataclass(frozen=True)
class SoundBatch:
    """Sounds side by side, padded to one length.

    Attributes:
        waveform: floats ``(batch, samples)``.
        lengths: samples of each that are its own.
    """

    waveform: Tensor
    lengths: list[int]

    @classmethod
    def of(cls, input_values: Tensor, padding_mask: Tensor | None) -> SoundBatch:
        """The batch in ``(batch, 1, samples)`` and its mask.

        Raises:
            AudioError: of another shape or type, or a mask that does not fit.
        """
        shape = tuple(input_values.shape)
        if not input_values.is_floating_point():
            raise AudioError(f"input_values hold {input_values.dtype}, expected floats with full scale at ±1")
        if len(shape) != 3 or shape[1] != 1 or not input_values.numel():
            raise AudioError(
                f"input_values have the shape {shape}, expected (batch, 1, samples): channels are coded one by one, "
                "as sounds of the batch"
            )
        if padding_mask is None:
            return cls(input_values[:, 0], [shape[2]] * shape[0])
        if padding_mask.shape[-1] != shape[2]:
            raise AudioError(f"padding_mask is for {padding_mask.shape[-1]} samples, but input_values have {shape[2]}")
        return cls(input_values[:, 0], lengths_of(padding_mask, shape[0]))


def frames_of(model: LoadedModel, lengths: Sequence[int]) -> list[int]:
    """Frames that sounds of so many samples take."""
    return [-(-length // model.hop_length) for length in lengths]


def mask_of(lengths: Sequence[int], size: int, device: torch.device) -> Tensor:
    """Boolean ``(batch, size)``: the first ``lengths`` of each row are true."""
    return torch.arange(size, device=device) < torch.tensor(lengths, device=device)[:, None]


def by_frame(tokens: Sequence[Tensor], streams: Sequence[Stream], n_frames: int) -> Tensor:
    """Codes ``(batch, codes)`` of each stream, to ``(batch, n_q, n_frames)``: once for each frame they stand for."""
    found = zip(tokens, streams, strict=False)
    return torch.stack([codes.repeat_interleave(stream.stride, -1)[:, :n_frames] for codes, stream in found], 1)
