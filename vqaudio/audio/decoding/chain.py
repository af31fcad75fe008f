"""All the sound of a file: its links one after the other, at one rate and with one number of channels."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import closing
from typing import IO

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.decoding.alone import for_libsndfile, has_ffmpeg
from vqaudio.audio.decoding.ffmpeg import FFmpegReader
from vqaudio.audio.decoding.find import find_links
from vqaudio.audio.decoding.libsndfile import LibsndfileReader
from vqaudio.audio.decoding.link import Link
from vqaudio.audio.decoding.reader import (
    MOST_PADDING,
    Block,
    NoDecoderError,
    StreamReader,
    TooLongError,
    UnreadableError,
)

Samples = NDArray[np.float32]

_PACKET = 1152  # samples of a packet of MP3: encoders differ in whether they count the first
_MOST_RATIO = 64  # between rates in one file
_MOST_PROBLEMS = 8  # told one by one


class Chain:
    """The sound of an open file that can seek, decoded from its first sample on as often as is asked for.

    Every sample is decoded once to count it; only of PCM the number follows from its bytes. What a header promises is
    compared with that count and decides nothing else, but for one thing: where there are a few samples more, they are
    the encoder's padding and left out. Links at other rates than the first are resampled (soxr, HQ); those with other
    channels are averaged, and that is what each channel gets.

    Attributes:
        pcm: the decoder of a file that is one stretch of PCM, which can seek to any sample; else None.
        sample_rate: of the first link, Hz; 0 where there are no samples.
        channels: of the first link; 0 where there are no samples.
        n_samples: in each channel.
        problems: what is missing or damaged, each the rest of a sentence that begins with the file's name.

    Raises:
        UnreadableError: no link can be decoded. NoDecoderError: nor one without FFmpeg's libraries, which are missing.
        OSError: the file cannot be read.
        TooLongError: there are more than ``most_seconds``; no more than these were decoded to know it.
    """

    def __init__(self, file: IO[bytes], most_seconds: float = math.inf):
        self._file = file
        self._seconds_left = most_seconds
        self._links = find_links(file, file.seek(0, 2))
        self._has_ffmpeg = has_ffmpeg()
        if not self._has_ffmpeg:
            self._links = [for_libsndfile(file, link) for link in self._links]
        self._counts: list[int] = []
        self.pcm: LibsndfileReader | None = None
        self.sample_rate = self.channels = self.n_samples = 0
        self.problems: list[str] = []
        if len(self._links) == 1:
            reader = self._open(self._links[0])
            if isinstance(reader, LibsndfileReader) and reader.seeks_exactly:
                self.pcm = reader
                self.sample_rate, self.channels, self.n_samples = reader.sample_rate, reader.channels, reader.frames
                self._judge(self._links[0], reader, reader.frames, reader.sample_rate)
                self._spend(reader.frames, reader.sample_rate)
                return
            reader.close()
        same_rate = False not in [self._count(link) for link in self._links]
        self.n_samples = sum(self._counts) if same_rate else sum(map(len, self.blocks()))

    def blocks(self) -> Generator[Samples]:
        """All samples in order, as ``(n, channels)``, of a file that is not ``pcm``."""
        return _converted(self._raw_blocks(), self.sample_rate, self.channels)

    def close(self) -> None:
        """Release the decoder; the file stays open."""
        if self.pcm is not None:
            self.pcm.close()

    def _raw_blocks(self) -> Generator[Block]:
        for link, left in zip(self._links, self._counts, strict=True):
            if not left:
                continue
            with closing(self._open(link)) as reader, closing(reader.blocks()) as blocks:
                for rate, block in blocks:
                    yield rate, block[:left]
                    left -= len(block)
                    if left <= 0:
                        break

    def _open(self, link: Link) -> StreamReader:
        """The first decoder that can decode a link."""
        reasons = []
        for decoder in link.decoders:
            try:
                if decoder == "ffmpeg":
                    return FFmpegReader(link.section(self._file), "mp3" if link.kind == "MP3" else None)
                reader = LibsndfileReader(link.section(self._file))
            except UnreadableError as error:
                reasons.append(str(error))
                continue
            if reader.seeks_exactly or decoder != "pcm":
                return reader
            reader.close()
        kind = UnreadableError if self._has_ffmpeg else NoDecoderError
        raise kind("; ".join(dict.fromkeys(reasons)) or "it consists of too many pieces", link.kind)

    def _count(self, link: Link) -> bool:
        """Decode a link to count its samples; returns whether all of them have the rate of the file."""
        try:
            reader = self._open(link)
        except UnreadableError as error:
            if len(self._links) == 1:
                raise
            self._note(link, f"cannot be decoded ({error})")
            self._counts.append(0)
            return True
        n_samples, rate, same_rate = 0, 0, True
        with closing(reader):
            for rate, block in reader.blocks():
                if not self.sample_rate:
                    self.sample_rate, self.channels = rate, block.shape[1]
                elif not 1 / _MOST_RATIO <= rate / self.sample_rate <= _MOST_RATIO:
                    raise UnreadableError(f"its rate changes from {self.sample_rate} to {rate} Hz", link.kind)
                self._spend(len(block), rate)
                n_samples += len(block)
                same_rate = same_rate and rate == self.sample_rate
            self._counts.append(self._judge(link, reader, n_samples, rate))
        return same_rate

    def _spend(self, n_samples: int, rate: int) -> None:
        self._seconds_left -= n_samples / rate
        if self._seconds_left < 0:
            self.close()
            raise TooLongError

    def _judge(self, link: Link, reader: StreamReader, n_samples: int, rate: int) -> int:
        """Note what is wrong with a link of which ``n_samples`` were decoded; returns how many of them are sound."""
        promised, tolerance, padding = reader.promised, reader.tolerance, reader.padding
        if link.promised is not None:
            promised = link.promised
            tolerance, padding = (0, 0) if link.is_exact else (_PACKET, MOST_PADDING)
        elif isinstance(reader, LibsndfileReader) and reader.seeks_exactly:
            promised = n_samples + link.missing_bytes // reader.sample_bytes
        missing = 0 if promised is None else promised - n_samples
        if missing > tolerance and not n_samples:
            self._note(link, f"promises {missing} samples, of which none can be decoded: it is cut off or damaged")
        elif missing > tolerance:
            self._note(
                link,
                f"ends at {n_samples / rate:.3f} s, {missing / rate:.3f} s ({missing} samples) before its header says: "
                "it is cut off or damaged",
            )
        elif missing_bytes := max(link.missing_bytes, link.promised_stop - link.stop, 0):
            self._note(link, f"ends {missing_bytes} bytes before its header says: it is cut off")
        elif remark := link.remark or reader.end:
            self._note(link, remark)
        for problem in reader.problems:
            self._note(link, problem)
        return n_samples + missing if -padding <= missing < 0 else n_samples

    def _note(self, link: Link, problem: str) -> None:
        if len(self.problems) > _MOST_PROBLEMS:
            return
        if len(self.problems) == _MOST_PROBLEMS:
            self.problems.append("has more such faults")
            return
        several = len(self._links) > 1
        part = f"part {self._links.index(link) + 1} of {len(self._links)} " if several else ""
        self.problems.append(part + problem)


def _converted(blocks: Generator[Block], sample_rate: int, channels: int) -> Generator[Samples]:
    """Blocks at any rate and of any number of channels as such of one rate and number."""
    stream, stream_rate = None, 0
    with closing(blocks):
        for rate, block in blocks:
            if stream is not None and rate != stream_rate:
                yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
                stream = None
            if block.shape[1] != channels:
                block = np.repeat(block.mean(axis=1, keepdims=True), channels, axis=1)
            if rate == sample_rate:
                yield block
                continue
            if stream is None:
                import soxr  # files that need it are rare

                stream, stream_rate = soxr.ResampleStream(rate, sample_rate, channels, "float32", "HQ"), rate
            yield stream.resample_chunk(np.ascontiguousarray(block))
        if stream is not None:
            yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
