"""WAV into a pipe: a header that comes first, for a length that may not be known yet, and samples as they are made."""

from __future__ import annotations

import fcntl
import io
import os
import struct
from dataclasses import dataclass
from typing import IO

import numpy as np
import soundfile
from numpy.typing import NDArray

SAMPLE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}
MOST_BYTES = 2**32 - 4096
"""Of samples in a WAV, whose sizes have 32 bits; 4 KiB are left to its headers. Beyond, it is an RF64."""
_UNKNOWN = 2**32 - 1
_PCM, _IEEE_FLOAT = 1, 3


@dataclass(frozen=True)
class WavFormat:
    """What the samples of a WAV are: their rate in Hz, how many channels, and a ``subtype`` of ``SAMPLE_BYTES``."""

    sample_rate: int
    channels: int
    subtype: str

    @property
    def frame_bytes(self) -> int:
        """Bytes that a sample of all channels takes."""
        return self.channels * SAMPLE_BYTES[self.subtype]


def wav_header(form: WavFormat, n_samples: int | None) -> bytes:
    """The bytes before the first sample.

    Where ``n_samples`` is not known, sizes are the largest number, as readers expect it. EBU Tech 3306 has RF64.
    """
    sample_rate, channels, subtype, block = form.sample_rate, form.channels, form.subtype, form.frame_bytes
    kind = _IEEE_FLOAT if subtype == "FLOAT" else _PCM
    chunks = b"fmt " + struct.pack(
        "<IHHIIHH", 16, kind, channels, sample_rate, sample_rate * block, block, 8 * SAMPLE_BYTES[subtype]
    )
    if subtype == "FLOAT":
        chunks += b"fact" + struct.pack("<II", 4, _UNKNOWN if n_samples is None else min(n_samples, _UNKNOWN))
    riff_bytes = data_bytes = _UNKNOWN
    mark, sizes = b"RIFF", b""
    if n_samples is not None:
        data_bytes = n_samples * block
        riff_bytes = 4 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if data_bytes > MOST_BYTES and n_samples is not None:
        mark, sizes = b"RF64", b"ds64" + struct.pack("<IQQQI", 28, riff_bytes + 36, data_bytes, n_samples, 0)
        riff_bytes = data_bytes = _UNKNOWN
    start = mark + struct.pack("<I", riff_bytes) + b"WAVE"
    return start + sizes + chunks + b"data" + struct.pack("<I", data_bytes)


class WavStream:
    """A WAV written front to back into ``file``, which stays open and need not seek.

    Where ``n_samples`` is not known, the header is put right at the end if ``file`` can seek after all.
    """

    def __init__(self, file: IO[bytes], form: WavFormat, *, n_samples: int | None):
        self._file, self._format, self._n_samples = file, form, n_samples
        self._written = 0
        header = wav_header(form, n_samples)
        self._header_bytes = len(header)
        file.write(header)

    def write(self, samples: NDArray[np.float32]) -> None:
        """Append ``(samples, channels)``, at once."""
        block = io.BytesIO()
        soundfile.write(
            block, samples, self._format.sample_rate, subtype=self._format.subtype, endian="LITTLE", format="RAW"
        )
        self._file.write(block.getbuffer())
        self._file.flush()
        self._written += len(samples)

    def close(self) -> None:
        """Write what follows the last sample."""
        n_bytes = self._written * self._format.frame_bytes
        self._file.write(bytes(n_bytes % 2))
        header = wav_header(self._format, self._written)
        if self._n_samples is None and len(header) == self._header_bytes and _can_go_back(self._file):
            end = self._file.tell()
            self._file.seek(end - n_bytes % 2 - n_bytes - len(header))
            self._file.write(header)
            self._file.seek(end)


def _can_go_back(file: IO[bytes]) -> bool:
    """Whether what was written can be written over: not in a pipe, nor in a file that is only ever appended to."""
    return file.seekable() and not fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND
