"""WAV, RF64, W64, AIFF, 8SVX, CAF and AU: how many bytes of samples a header promises, and how many there are.

Decoders believe these headers or correct them without a word. Here a file that was cut off is told from one whose
header was never completed because it was written to a pipe, and what stands behind the end of the sound is looked at.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import IO

from vqaudio.audio.decoding.link import Link

_PCM_TAGS = {1, 3, 6, 7}  # integers, floats, A-law and μ-law, as WAV numbers them
_MPEG_TAGS = {0x50, 0x55}
_EXTENSIBLE = 0xFFFE
_W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_ENDLESS = 1 << 31  # more bytes than this behind a WAV's samples are samples: their number did not fit in 32 bits
_TAGS = (b"ID3", b"TAG", b"APETAGEX")  # titles, which may stand behind any sound
_FARTHEST = 1 << 43
_MOST_CHUNKS = 4096
_HEAD = 28  # bytes that tell a kind


@dataclass(frozen=True)
class _Layout:
    """How a container writes its chunks: a name, a size and the content, padded to a multiple of ``align`` bytes."""

    kind: str
    samples: bytes  # the name of the chunk that holds them
    size: str = "<I"  # how a size is written, for struct
    first: int = 12  # where the first chunk begins
    name_bytes: int = 4
    counts_itself: bool = False  # whether a size includes name and size
    align: int = 2


@dataclass(frozen=True)
class _Chunk:
    """One chunk: where its size is written and how, the size of its content, and where that begins."""

    name: bytes
    size_at: int
    size_format: str
    size: int
    at: int
    counted: int = 0  # bytes before the content that the size, as it is written, includes


def _layout(head: bytes) -> _Layout | None:
    """What the first bytes of a file say about the rest of it."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _Layout("WAV", b"data")
    if head[:4] == b"RIFX" and head[8:12] == b"WAVE":
        return _Layout("WAV", b"data", ">I")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _Layout("AIFF", b"SSND", ">I")
    if head[:4] == b"FORM" and head[8:12] in (b"8SVX", b"16SV"):
        return _Layout("8SVX", b"BODY", ">I")
    if head[:16] == _W64:
        return _Layout("W64", b"data", "<Q", 40, 16, True, 8)
    if head[:6] == b"caff\0\x01":
        return _Layout("CAF", b"data", ">Q", 8, align=1)
    for mark, size in ((b".snd", ">I"), (b"dns.", "<I")):
        if head[:4] == mark and len(head) == _HEAD and _HEAD - 4 <= struct.unpack_from(size, head, 4)[0] < 1 << 20:
            return _Layout("AU", b"", size, align=1)  # which has no chunks
    return None


def sample_file(file: IO[bytes], start: int, *, size: int) -> Link | None:
    """The sound that begins at ``start`` in a file of ``size`` bytes, or None if it is of none of these kinds."""
    layout = _layout(_bytes(file, start, _HEAD))
    if layout is None:
        return None
    link = Link(start, size, layout.kind)
    if not layout.samples:
        samples = start + _number(file, start + 4, layout.size)
        _measure(
            file, layout, _Chunk(b"", start + 8, layout.size, _number(file, start + 8, layout.size), samples), link
        )
        return link
    at, long = start + layout.first, None
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(file, layout, at)
        if chunk is None:
            break
        if chunk.name == b"ds64":
            long = replace(chunk, size_at=chunk.at + 8, size_format="<Q", size=_number(file, chunk.at + 8, "<Q"))
        elif chunk.name == b"fmt ":
            _read_format(file, layout, chunk, link)
        elif chunk.name == b"fact" and "pcm" not in link.decoders:
            link.promised = _number(file, chunk.at, layout.size[0] + "I") or None
        elif chunk.name == layout.samples:
            if long is not None and chunk.size == 0xFFFFFFFF:
                chunk = replace(long, at=chunk.at)
            _measure(file, layout, chunk, link)
            break
        at = _end(layout, chunk)
    else:
        link.decoders = ()
    return link


def _read_format(file: IO[bytes], layout: _Layout, chunk: _Chunk, link: Link) -> None:
    """Who can decode a WAV, by the number of its format."""
    tag = _number(file, chunk.at, layout.size[0] + "H")
    if tag == _EXTENSIBLE:  # the number proper begins a GUID
        tag = _number(file, chunk.at + 24, layout.size[0] + "H")
    if tag not in _PCM_TAGS:  # libsndfile takes the announced length of MPEG audio for the truth, and prints
        link.decoders = ("ffmpeg",) if tag in _MPEG_TAGS else ("ffmpeg", "libsndfile")


def _measure(file: IO[bytes], layout: _Layout, chunk: _Chunk, link: Link) -> None:
    """Compare what a header promises with what there is, and see what follows."""
    held = max(0, link.stop - chunk.at)
    most = 2 ** (8 * struct.calcsize(chunk.size_format)) - 1
    to_the_end = {chunk.size_at: struct.pack(chunk.size_format, min(held + chunk.counted, most))}
    if chunk.size > held:
        link.patches = to_the_end
        if not _unfinished(chunk):
            link.missing_bytes = chunk.size - held
        return
    at = _behind(file, layout, chunk, link.stop)
    head, rest = _bytes(file, at, _HEAD), link.stop - at
    if _layout(head) is not None:
        link.stop = at
    elif rest and at == _end(layout, chunk) and (chunk.size == 0 or rest > _ENDLESS):
        link.patches = to_the_end
    elif any(head) and not head.startswith(_TAGS):
        link.remark = f"holds {rest} bytes behind the end of its sound, which are not read"


def _unfinished(chunk: _Chunk) -> bool:
    """Whether a size is one of those that programs write before they know it."""
    if struct.calcsize(chunk.size_format) == 8:
        return chunk.size >= 1 << 62
    return 0x7F000000 <= chunk.size <= 0x80001000 or chunk.size >= 0xFFFFF000


def _behind(file: IO[bytes], layout: _Layout, chunk: _Chunk, size: int) -> int:
    """Where that ends which can be told to belong to the same container, at ``size`` bytes or before."""
    at = _end(layout, chunk)
    for _ in range(_MOST_CHUNKS):
        if at >= size or _layout(_bytes(file, at, _HEAD)) is not None:
            break
        following = _chunk(file, layout, at) or _chunk(file, layout, chunk.at + chunk.size)  # some leave padding out
        if following is None or not at <= following.at + following.size <= size:
            return at
        chunk, at = following, _end(layout, following)
    return min(at, size)


def _chunk(file: IO[bytes], layout: _Layout, at: int) -> _Chunk | None:
    """The chunk that begins there, or None if none does."""
    names = layout.name_bytes
    length = struct.calcsize(layout.size)
    head = _bytes(file, at, names + length)
    if len(head) < names + length or not all(32 <= byte < 127 for byte in head[:4]):
        return None
    counted = names + length if layout.counts_itself else 0
    size = max(0, struct.unpack(layout.size, head[names:])[0] - counted)
    return _Chunk(head[:4], at + names, layout.size, size, at + names + length, counted)


def _end(layout: _Layout, chunk: _Chunk) -> int:
    """Where the next chunk should begin."""
    return chunk.at + -(-chunk.size // layout.align) * layout.align


def _bytes(file: IO[bytes], at: int, count: int) -> bytes:
    if at >= _FARTHEST:  # sizes of 64 bits lead to places that no file system has, and that none can go to
        return b""
    file.seek(at)
    return file.read(count)


def _number(file: IO[bytes], at: int, format: str) -> int:
    """The integer written there; 0 beyond the end of the file."""
    length = struct.calcsize(format)
    number: int = struct.unpack(format, _bytes(file, at, length).ljust(length, b"\0"))[0]
    return number
