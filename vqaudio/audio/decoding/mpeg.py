"""MP3: where files that were joined begin, and what their headers promise.

The first frame of a file may be silent and hold, behind the word ``Xing`` or ``Info``, the number of frames and bytes
that follow, and how many samples at both ends are the encoder's (LAME's tag). Joined files keep these frames.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import IO

from vqaudio.audio.decoding.link import MOST_FAULTS, MOST_LINKS, Link
from vqaudio.audio.decoding.search import find_all

_MARK = re.compile(
    rb"\xff[\xe2-\xff][^\xf0-\xff].(?=(?:.{9}|.{11}|.{17}|.{19}|.{32}|.{34})(?:Xing|Info))|ID3[\x02\x03\x04]", re.DOTALL
)
_LONGEST = 42  # bytes of such a mark
_SIDE_INFORMATION = {(True, True): 17, (True, False): 32, (False, True): 9, (False, False): 17}
"""Bytes of it, by whether a frame is of MPEG-1 and mono."""
_LAYER_3 = 1
_MOST_TAGS = 16  # in a row
_LAME = (b"LAME", b"Lavf", b"Lavc")
_DECODER_DELAY = 529  # samples, beside the encoder's own


@dataclass(frozen=True)
class _Header:
    """A frame with ``Xing`` or ``Info``: where it begins, and what it promises to follow."""

    at: int
    n_samples: int | None
    n_bytes: int


def is_frame(head: bytes) -> bool:
    """Whether these bytes can begin a frame of MPEG audio, layer I to III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, sample_rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate != 15 and sample_rate != 3


def skip_id3_tags(file: IO[bytes], at: int) -> int:
    """Where the ID3v2 tags that begin there end; ``at`` where there are none."""
    for _ in range(_MOST_TAGS):
        file.seek(at)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or head[3] > 4 or any(byte & 0x80 for byte in head[6:]):
            break
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        at += 10 + size + (10 if head[5] & 0x10 else 0)
    return at


def starts_with_frame(file: IO[bytes], at: int) -> bool:
    """Whether there is a frame of MPEG audio at a place in a file."""
    file.seek(at)
    return is_frame(file.read(4))


def mpeg_links(file: IO[bytes], size: int) -> list[Link]:
    """The links of a file of ``size`` bytes that begins, behind its titles, with a frame."""
    links = [Link(0, size, "MP3", ("ffmpeg",))]
    frame = skip_id3_tags(file, 0)  # where the sound of the last of them begins
    faults = 0
    for at in find_all(file, _MARK, start=0, stop=size, longest=_LONGEST):
        if at < frame:
            continue
        if len(links) > MOST_LINKS or faults > MOST_FAULTS:
            break
        header = _header(file, at)
        if header is None:
            begins = skip_id3_tags(file, at)
            faults += 1
            if begins > at:
                frame = begins
                if starts_with_frame(file, begins):
                    links[-1].stop = at
                    links.append(Link(at, size, "MP3", ("ffmpeg",)))
            continue
        if header.at != frame:
            frame = header.at
            links[-1].stop = frame
            links.append(Link(frame, size, "MP3", ("ffmpeg",)))
        links[-1].promised, links[-1].promised_stop = header.n_samples, header.at + header.n_bytes
    return links


def _header(file: IO[bytes], at: int) -> _Header | None:
    """What the frame at a place promises, or None if it is none with ``Xing`` or ``Info`` where those belong."""
    file.seek(at)
    data = file.read(_LONGEST + 160)
    if not is_frame(data) or data[1] >> 1 & 3 != _LAYER_3:
        return None
    mpeg_1 = data[1] >> 3 & 3 == 3
    mark = 4 + _SIDE_INFORMATION[mpeg_1, data[3] >> 6 == 3]
    for checksum in (0, 2):  # bytes of one, which some writers leave out of account
        if data[mark + checksum : mark + checksum + 4] in (b"Xing", b"Info"):
            return _promises(at, 1152 if mpeg_1 else 576, data[mark + checksum + 4 :])
    return None


def _promises(at: int, frame_samples: int, data: bytes) -> _Header:
    """What stands behind the letters ``Xing``: flags, then what they announce, then LAME's tag."""
    data = data.ljust(160, b"\0")
    flags, place = data[3], 4
    n_frames = n_bytes = 0
    if flags & 1:
        n_frames, place = struct.unpack_from(">I", data, place)[0], place + 4
    if flags & 2:
        n_bytes, place = struct.unpack_from(">I", data, place)[0], place + 4
    place += (100 if flags & 4 else 0) + (4 if flags & 8 else 0)
    n_samples = n_frames * frame_samples
    if n_frames and data[place : place + 4] in _LAME:
        delays = int.from_bytes(data[place + 21 : place + 24])
        n_samples -= (delays >> 12) + _DECODER_DELAY + max(0, (delays & 0xFFF) - _DECODER_DELAY)
    return _Header(at, max(1, n_samples) if n_frames else None, n_bytes)
