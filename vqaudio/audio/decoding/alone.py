"""libsndfile alone, where FFmpeg's libraries are not installed (extra ``media``): what it decodes of what is theirs.

It stops at the number of samples that a header announces. So this number is hidden from it where it may be (FLAC), and
where it may not (MP3), only files are taken whose header tells the number, and behind whose last frame there is no
other. What is damaged it reads up to the damage, where FFmpeg goes on behind it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import IO

from vqaudio.audio.decoding.link import Link
from vqaudio.audio.decoding.mpeg import starts_with_frame
from vqaudio.audio.decoding.reader import NoDecoderError

_TOTAL_AT = 21  # bytes from the beginning of a FLAC: the lower half of one, and four more, are the number of samples
_REASONS = {"": "no kind that it is told of begins so", "WAV": "with MP3 in it"}


def has_ffmpeg() -> bool:
    """Whether FFmpeg's libraries are there."""
    return importlib.util.find_spec("av") is not None


def for_libsndfile(file: IO[bytes], link: Link) -> Link:
    """The same link, for libsndfile alone to decode.

    Raises:
        NoDecoderError: it would not decode all of it, or cannot be trusted to.
    """
    decoders = tuple(decoder for decoder in link.decoders if decoder != "ffmpeg")
    if decoders:
        return replace(link, decoders=decoders)
    if link.kind == "FLAC":
        return _flac(file, link)
    if link.kind == "MP3":
        if link.promised is None:
            raise NoDecoderError("its header does not tell how long it is", link.kind)
        if link.promised_stop < link.stop and starts_with_frame(file, link.promised_stop):
            raise NoDecoderError("it goes on behind what its header tells", link.kind)
        return replace(link, decoders=("libsndfile",), promised=None)  # libsndfile's own promise is exact
    raise NoDecoderError(_REASONS.get(link.kind, ""), link.kind)


def _flac(file: IO[bytes], link: Link) -> Link:
    file.seek(link.start + _TOTAL_AT)
    total = int.from_bytes(file.read(5)) & (1 << 36) - 1
    file.seek(link.start + _TOTAL_AT)
    unknown = bytes([file.read(1)[0] & 0xF0, 0, 0, 0, 0])
    patches = {link.start + _TOTAL_AT: unknown}
    return replace(link, decoders=("libsndfile",), patches=patches, promised=total or None, is_exact=True)
