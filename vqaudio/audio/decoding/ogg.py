"""Ogg: where its chained streams begin, and whether pages of them are missing.

Pages are specified in RFC 3533. A file may be a chain of streams, each with headers of its own, as recorders of radio
write them; libsndfile reads the first and stops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO

from vqaudio.audio.decoding.link import MOST_FAULTS, MOST_LINKS, Link
from vqaudio.audio.decoding.search import find_first

_CAPTURE = b"OggS"
_BEGINS, _ENDS = 2, 4  # bits of a page's flags
_HEADER = 27  # bytes, then one for each of up to 255 segments
_LIBSNDFILE = (b"\x01vorbis", b"OpusHead")
"""What libsndfile reads better: FFmpeg ends short Vorbis up to 256 samples late, and all Opus has 48 kHz to it."""


@dataclass
class _Stream:
    """What was seen of one stream: its first bytes, the number of its next page, and whether its end was seen."""

    head: bytes
    next_page: int = 0
    ended: bool = False


@dataclass
class _Pages:
    """The pages of one link."""

    link: Link
    streams: dict[bytes, _Stream] = field(default_factory=dict)  # by serial number
    lost: bool = False
    cut: bool = False

    def finish(self, stop: int) -> Link:
        """The link, now that all of its pages were seen."""
        self.link.stop = stop
        heads = [stream.head for stream in self.streams.values()]
        if len(heads) == 1 and heads[0].startswith(_LIBSNDFILE):
            self.link.decoders = ("libsndfile", "ffmpeg")
        if self.lost:
            self.link.remark = "lacks pages in its middle: it is damaged"
        elif self.cut or not all(stream.ended for stream in self.streams.values()):
            self.link.remark = "lacks its last page: it is cut off"
        return self.link


def ogg_links(file: IO[bytes], size: int) -> list[Link]:
    """The links of an Ogg file of ``size`` bytes that begins with a page."""
    links: list[Link] = []
    pages: _Pages | None = None
    at, began, faults = 0, False, 0
    while at < size and faults < MOST_FAULTS and len(links) <= MOST_LINKS:
        file.seek(at)
        head = file.read(_HEADER + 255 + 8)
        if head[:4] != _CAPTURE or len(head) < _HEADER:
            at, faults = find_first(file, _CAPTURE, start=at + 1, stop=size), faults + 1
            continue
        begins, serial = bool(head[5] & _BEGINS), head[14:18]
        body = _HEADER + head[26]
        if pages is None or (begins and not began):
            if pages is not None:
                links.append(pages.finish(at))
            pages = _Pages(Link(at, size, "Ogg", ("ffmpeg",)))
        number = int.from_bytes(head[18:22], "little")
        if begins:
            pages.streams[serial] = _Stream(head[body : body + 8], number)
        stream = pages.streams.get(serial)
        if stream is not None:
            pages.lost = pages.lost or number > stream.next_page
            stream.next_page, stream.ended = number + 1, bool(head[5] & _ENDS)
        began = begins
        stop = at + body + sum(head[_HEADER:body])
        following = (
            stop
            if file.seek(stop) and file.read(4) == _CAPTURE
            else find_first(file, _CAPTURE, start=at + 1, stop=size)
        )
        pages.cut = following < stop or stop > size
        faults += pages.cut
        at = following
    return links if pages is None else [*links, pages.finish(size)]
