"""What kind of sound a file holds by its first bytes, and where further files begin that were joined to it."""

from __future__ import annotations

import re
from itertools import islice, pairwise
from typing import IO

from vqaudio.audio.decoding.boxes import matroska_end, mpeg4_end
from vqaudio.audio.decoding.headers import sample_file
from vqaudio.audio.decoding.link import MOST_LINKS, Link
from vqaudio.audio.decoding.mpeg import mpeg_links, skip_id3_tags, starts_with_frame
from vqaudio.audio.decoding.ogg import ogg_links
from vqaudio.audio.decoding.reader import UnreadableError
from vqaudio.audio.decoding.search import find_all

_WITH_BIT_3 = re.escape(bytes(byte for byte in range(256) if byte & 8))
_MARKS = {
    "FLAC": re.compile(rb"fLaC[\0\x80]\0\0\x22"),
    "MPEG-4 (M4A, MP4)": re.compile(rb"\0\0\0.ftyp[\x20-\x7e]{4}", re.DOTALL),
    "Matroska or WebM": re.compile(rb"\x1a\x45\xdf\xa3.{1,40}(?:matroska|webm)", re.DOTALL),
    "Windows Media (WMA)": re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    "AMR": re.compile(rb"#!AMR(?:-WB)?\n"),
    "TTA": re.compile(rb"TTA1[\x01-\x03]\0[\x01-\x20]\0"),
    "WavPack": re.compile(
        rb"wvpk.{4}[\x02-\x10]\x04.{6}\0{4}.{5}[" + _WITH_BIT_3 + b"]", re.DOTALL
    ),  # block 0, the first there
}
"""How files of a kind begin, by marks that hardly turn up by chance."""
_ENDS = {"MPEG-4 (M4A, MP4)": mpeg4_end, "Matroska or WebM": matroska_end}
_LONGEST = 64  # bytes of a mark
_ADTS = (b"\xff\xf0", b"\xff\xf1", b"\xff\xf8", b"\xff\xf9")


def find_links(file: IO[bytes], size: int) -> list[Link]:
    """The links of a file of ``size`` bytes, in order: at least one, whatever it holds.

    Raises:
        UnreadableError: there are too many.
    """
    links = _links(file, size)
    if len(links) > MOST_LINKS:
        raise UnreadableError(f"it is made of more than {MOST_LINKS} files, one behind the other", links[0].kind)
    return links


def _links(file: IO[bytes], size: int) -> list[Link]:
    links: list[Link] = []
    while (
        len(links) <= MOST_LINKS and (link := sample_file(file, links[-1].stop if links else 0, size=size)) is not None
    ):
        links.append(link)
    if links:
        return links
    file.seek(0)
    head = file.read(_LONGEST)
    if head[:4] == b"OggS":
        return ogg_links(file, size)
    begins = skip_id3_tags(file, 0)
    if starts_with_frame(file, begins):
        return mpeg_links(file, size)
    for kind, mark in _MARKS.items():
        if mark.match(head):
            starts = [*islice(find_all(file, mark, start=0, stop=size, longest=_LONGEST), MOST_LINKS + 1), size]
            links = [Link(start, stop, kind, ("ffmpeg",)) for start, stop in pairwise(starts)]
            for link in links:
                if kind in _ENDS:
                    link.promised_stop = _ENDS[kind](file, link.start, stop=link.stop)
            return links
    if head.startswith(_ADTS):
        return [Link(0, size, "AAC", ("ffmpeg",))]
    if begins or head[:1] == b"\xff":  # libsndfile would take it for MP3
        return [Link(0, size, "", ("ffmpeg",))]
    return [Link(0, size)]
