"""Headers of sound that arrives: how far each reaches. What stands in them is libsndfile's to read.

A header's own sizes say where the next part begins, up to the one with the samples. A recorder that writes to a pipe
does not know how many there will be: it leaves zeros there, or the largest number.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from vqaudio.errors import AudioError
from vqaudio.files.pipe import Pipe

LARGEST = 1 << 24
"""Bytes that a header may have: some hold a picture."""
_ENDLESS = 0x7FFFF000
"""Sizes from here on mean that the writer did not know: 2 GiB, less at most a page, is what recorders put there."""
_MAGIC = 12

Take = Callable[[int], bytes]


def read_header(pipe: Pipe) -> bytes | None:
    """The bytes up to the first sample, taken out of the pipe; None, and none taken, for a format not known here.

    Raises:
        AudioError: the pipe ends before, or the header does not.
    """
    start = pipe.peek(_MAGIC)
    walk = next((walk for mark, kinds, walk in _WALKS if start.startswith(mark) and start[8:].startswith(kinds)), None)
    if walk is None:
        return None
    header = bytearray()

    def take(count: int) -> bytes:
        if len(header) + count > LARGEST:
            raise AudioError(f"{pipe.name}: its header goes on for more than {LARGEST >> 20} MiB: it is damaged")
        data = pipe.read(count)
        if len(data) < count:
            raise AudioError(f"{pipe.name}: ends within its header, after {len(header) + len(data)} bytes")
        header.extend(data)
        return data

    walk(take)
    return bytes(header)


def _riff(take: Take) -> None:
    order = "big" if take(12).startswith(b"RIFX") else "little"
    while (chunk := take(8))[:4] != b"data":
        size = int.from_bytes(chunk[4:], order)  # type: ignore[arg-type]
        take(size + size % 2)


def _w64(take: Take) -> None:
    take(40)
    while (chunk := take(24))[:4] != b"data":
        size = int.from_bytes(chunk[16:], "little")
        take(max(0, size + -size % 8 - 24))


def _aiff(take: Take) -> None:
    take(12)
    while (chunk := take(8))[:4] != b"SSND":
        size = int.from_bytes(chunk[4:], "big")
        take(size + size % 2)
    take(int.from_bytes(take(8)[:4], "big"))


def _au(take: Take) -> None:
    order = "big" if (start := take(8)).startswith(b".snd") else "little"
    take(max(0, int.from_bytes(start[4:], order) - 8))  # type: ignore[arg-type]


_WALKS: tuple[tuple[bytes, tuple[bytes, ...], Callable[[Take], None]], ...] = (
    (b"RIFF", (b"WAVE",), _riff),
    (b"RIFX", (b"WAVE",), _riff),
    (b"RF64", (b"WAVE",), _riff),
    (b"riff\x2e\x91\xcf\x11", (b"",), _w64),
    (b"FORM", (b"AIFF", b"AIFC"), _aiff),
    (b".snd", (b"",), _au),
    (b"dns.", (b"",), _au),
)


def unbounded(header: bytes) -> bytes:
    """A WAV's header whose size is none as that of an RF64, whose size has 64 bits; any other as it is."""
    if not header.startswith(b"RIFF") or 0 < int.from_bytes(header[-4:], "little") < _ENDLESS:
        return header
    unknown, most = b"\xff\xff\xff\xff", 2**62
    sizes = b"ds64" + struct.pack("<IQQQI", 28, most, most, 0, 0)
    return b"RF64" + unknown + b"WAVE" + sizes + header[12:-4] + unknown
