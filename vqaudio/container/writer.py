"""Codes into a file, front to back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqaudio.container.chunk import chunk_bytes
from vqaudio.container.codes import ChunkCodes, Coder
from vqaudio.container.header import SoundHeader
from vqaudio.container.levels import Level
from vqaudio.container.trailer import index_entry, trailer_bytes


class Writer:
    """Writes a file front to back; ``file`` needs only ``write``, so pipes do.

    The header is written at once; then :meth:`write` for each chunk; then :meth:`close`, which leaves ``file`` open.

    ``coder`` is what the header's entropy mode needs: none for the mode ``none``.

    >>> import io
    >>> from vqaudio.container import Reader, SoundHeader, Stream
    >>> streams = (Stream(alphabet=1024),)
    >>> header = SoundHeader("00112233aabb", 16000, 16000, 320, chunk_frames=250, channels=1, streams=streams)
    >>> file = io.BytesIO()
    >>> writer = Writer(file, header)
    >>> writer.write([np.array([[7, 512, 1023]])])  # bytes of the chunk
    14
    >>> writer.close(n_samples=3 * 320)  # bytes of the trailer
    9
    >>> Reader(file, "x.vq").chunk(0).codes
    [array([[   7,  512, 1023]], dtype=int32)]
    """

    def __init__(self, file: BinaryIO, header: SoundHeader, *, coder: Coder | None = None):
        if (header.entropy == "none") != (coder is None):
            raise ValueError(f"entropy mode {header.entropy} with {'no' if coder is None else 'a'} coder")
        self._file, self.header, self._coder = file, header, coder
        self._index = bytearray()
        self._n_chunks = self._n_frames = self._last_size = 0
        self._closed = False
        file.write(header.to_bytes())

    def write(self, codes: Sequence[NDArray[Any]], levels: Sequence[Level] = ()) -> int:
        """Write one chunk and return its size in bytes.

        ``codes`` has an integer array of shape ``(channels, codes)`` for each stream, ``ceil(n_frames / stride)``
        codes for ``n_frames`` frames: ``header.chunk_frames`` of them, or fewer in the last chunk. ``levels`` has one
        for each channel, or none where all are coded as they are.

        Raises:
            ValueError: codes of another shape or out of their alphabet, levels that a file of this version cannot
                hold, or a chunk after a short one.
        """
        if self._closed or self._n_frames != self._n_chunks * self.header.chunk_frames:
            raise ValueError("no chunk can follow a short chunk or the trailer")
        checked, n_frames = self._check(codes)
        if levels and (len(levels) != self.header.channels or self.header.version == 1):
            found = f"{len(levels)} levels for {self.header.channels} channels"
            raise ValueError(f"{found} in format version {self.header.version}")
        data = chunk_bytes(
            self.header, checked, index=self._n_chunks, n_frames=n_frames, coder=self._coder, levels=levels
        )
        self._file.write(data)
        self._index += index_entry(len(data), self._last_size)
        self._last_size = len(data)
        self._n_chunks += 1
        self._n_frames += n_frames
        return len(data)

    def _check(self, codes: Sequence[NDArray[Any]]) -> tuple[ChunkCodes, int]:
        streams = self.header.streams
        if len(codes) != len(streams):
            raise ValueError(f"expected {len(streams)} streams of codes, found {len(codes)}")
        arrays = [np.asarray(block) for block in codes]
        n_frames = next(block.shape[-1] for stream, block in zip(streams, arrays, strict=True) if stream.stride == 1)
        if not 1 <= n_frames <= self.header.chunk_frames:
            raise ValueError(f"a chunk holds 1 to {self.header.chunk_frames} frames, found {n_frames}")
        for number, (stream, block) in enumerate(zip(streams, arrays, strict=True)):
            shape = (self.header.channels, stream.codes_in(n_frames))
            found = f"{block.dtype} of shape {block.shape}"
            if block.shape != shape or block.dtype.kind not in "iu":
                raise ValueError(f"stream {number}: expected integers of shape {shape}, found {found}")
            if block.min() < 0 or block.max() >= stream.alphabet:
                found = f"{block.min()} to {block.max()}"
                raise ValueError(f"stream {number}: expected codes from 0 to {stream.alphabet - 1}, found {found}")
        return [block.astype(np.int32) for block in arrays], n_frames

    def close(self, n_samples: int) -> int:
        """Write the trailer and return its size in bytes.

        ``n_samples`` counts samples per channel at the source rate.

        Raises:
            ValueError: the chunks written do not hold ``n_samples`` samples, or the writer is closed.
            ContainerError: more chunks than an index of 16 MiB can list.
        """
        if self._closed:
            raise ValueError("the trailer is written already")
        if n_samples < 0 or self.header.n_frames(n_samples) != self._n_frames:
            raise ValueError(f"{self._n_frames} frames were written, which {n_samples} samples do not take")
        data = trailer_bytes(n_samples, self._n_chunks, index=bytes(self._index))
        self._file.write(data)
        self._closed = True
        return len(data)
