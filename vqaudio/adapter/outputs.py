"""What a :class:`vqaudio.adapter.CodecModel` returns: tensors by name, by place, or one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor


@dataclass
class AdapterOutput:
    """Tensors under names; what is None counts as not there.

    ``output.audio_codes``, ``output["audio_codes"]`` and ``output[0]`` are one; ``codes, mask = output`` and
    ``dict(output)`` work, as ``output.to_tuple()`` does.
    """

    def keys(self) -> list[str]:
        """Names of what is there, in order."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]

    def to_tuple(self) -> tuple[Any, ...]:
        """What is there, in order."""
        return tuple(getattr(self, name) for name in self.keys())

    def __getitem__(self, key: str | int | slice) -> Any:
        if not isinstance(key, str):
            return self.to_tuple()[key]
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __len__(self) -> int:
        return len(self.keys())


@dataclass
class CodecEncoderOutput(AdapterOutput):
    """A batch of sounds as integers.

    Attributes:
        audio_codes: LongTensor ``(batch, n_q, frames)``. Codes that stand for several frames are there once for each;
            behind the end of a shorter sound are those of silence.
        audio_codes_mask: boolean ``(batch, frames)``: which frames are a sound's own.
        audio_scales: float64 ``(batch, chunks, 2)``, gain and offset of each chunk of sound, which were taken out
            before; None where all sounds are at an ordinary level.
    """

    audio_codes: Tensor
    audio_codes_mask: Tensor
    audio_scales: Tensor | None = None


@dataclass
class CodecDecoderOutput(AdapterOutput):
    """A batch of sounds.

    Attributes:
        audio_values: float32 ``(batch, 1, samples)``, zeros behind the end of a shorter sound.
    """

    audio_values: Tensor


@dataclass
class CodecOutput(AdapterOutput):
    """A batch of sounds through the whole model: see :class:`CodecEncoderOutput` and :class:`CodecDecoderOutput`."""

    audio_codes: Tensor
    audio_values: Tensor
    audio_codes_mask: Tensor
