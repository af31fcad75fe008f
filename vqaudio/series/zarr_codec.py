"""The codec of tables as a serializer of Zarr 3, which finds it by an entry point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Self

from zarr.abc.codec import ArrayBytesCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer, NDBuffer
from zarr.core.common import JSON, parse_named_configuration

from vqaudio.series.encodings.bounds import Amount
from vqaudio.series.numcodec import VqCodec


@dataclass(frozen=True)
class VqSerializer(ArrayBytesCodec):
    """Chunks of an array, exact to the bit, or each value within a bound; see :class:`VqCodec` for its arguments.

    ``zarr.create_array(..., serializer=VqSerializer(max_error=0.01), compressors=None)``.
    """

    is_fixed_size = False

    max_error: Amount | None = None
    max_relative_error: Amount | None = None
    psnr: Amount | None = None
    prd: Amount | None = None

    def __post_init__(self) -> None:
        self._codec()

    @classmethod
    def from_dict(cls, data: dict[str, JSON]) -> Self:
        """From what an array's metadata say of it."""
        _, configuration = parse_named_configuration(data, VqCodec.codec_id, require_configuration=False)
        return cls(**(configuration or {}))  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, JSON]:
        """What an array's metadata say of it."""
        given: dict[str, Any] = {key: value for key, value in vars(self).items() if value is not None}
        return {"name": VqCodec.codec_id, "configuration": given}

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Not known before: it is asked of codecs of a fixed size alone."""
        raise NotImplementedError

    async def _encode_single(self, chunk_data: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        data = await asyncio.to_thread(self._codec().encode, chunk_data.as_ndarray_like())
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        array = await asyncio.to_thread(self._codec().decode, chunk_data.to_bytes())
        return chunk_spec.prototype.nd_buffer.from_ndarray_like(array.reshape(chunk_spec.shape))

    def _codec(self) -> VqCodec:
        return VqCodec(self.max_error, self.max_relative_error, self.psnr, self.prd)
