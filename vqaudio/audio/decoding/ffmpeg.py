"""Compressed sound by FFmpeg's libraries (PyAV), from its first sample on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from vqaudio.audio.decoding.reader import MOST_PADDING, Block, UnreadableError
from vqaudio.audio.decoding.section import Section
from vqaudio.audio.sndfile import GuardedFile

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame

_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,loas,matroska,mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,oma,"
    "rm,tak,truehd,tta,voc,w64,wav,wv,xwma"
)
"""Those that hold their sound themselves. Play lists are not among them: what they name could be any file."""
_EXACT = {"flac", "wv", "tta", "ape", "tak"}
"""Those whose headers tell the number of samples; what _TIMED ones tell is true to within a packet."""
_TIMED = {"mov", "matroska", "ogg", "asf", "w64", "caf", "aiff"}
"""With the rest FFmpeg estimates a duration, which promises nothing."""
_CHECKED = {"flac", "tta"}
"""Decoders that compare checksums, and give up what does not agree, where they are told to."""

_PLANAR = {"u8p": "u1", "s16p": "i2", "s32p": "i4", "fltp": "f4", "dblp": "f8"}
"""NumPy's types of samples that FFmpeg stores channel by channel."""


class FFmpegReader:
    """One pass through the sound of a file: see :class:`vqaudio.audio.decoding.reader.StreamReader`.

    An encoder's delay and padding are left out where the file tells of them (MP3 with a LAME header, MPEG-4, Matroska,
    Ogg), and are there where it does not (other MP3, AAC).

    Raises:
        UnreadableError: none of it can be decoded.
        OSError: the file cannot be read.
    """

    def __init__(self, section: Section, format: str | None = None):
        import av  # takes a while, and WAV does without

        self._guard = GuardedFile(cast(BinaryIO, section))
        self._errors = (av.error.FFmpegError, ValueError)
        self.problems: list[str] = []
        self.end = ""
        self.promised: int | None = None
        self.tolerance, self.padding = MOST_PADDING, 0
        try:
            self._container = av.open(
                self._guard, "r", format, {"format_whitelist": _FORMATS}, metadata_errors="replace"
            )
        except self._errors as error:
            self._guard.check()
            raise UnreadableError(_reason(error)) from None
        try:
            self._guard.check()
            self._stream = self._choose()
        except BaseException:
            self._container.close()
            raise

    def _choose(self) -> av.AudioStream:
        """The sound track that is meant to be heard, with its decoder and its promise."""
        tracks = self._container.streams.audio
        stream = cast("av.AudioStream | None", self._container.streams.best("audio"))
        if stream is None or not stream.codec_context:  # the latter where FFmpeg knows the codec, but cannot decode it
            raise UnreadableError("none of its sound can be decoded" if tracks else "it holds no sound")
        if len(tracks) > 1:
            self.problems.append(
                f"holds {len(tracks)} sound tracks, of which number {tracks.index(stream) + 1} is read"
            )
        stream.codec_context.thread_count = 1
        if stream.codec_context.name in _CHECKED:
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
        names = set(self._container.format.name.split(","))
        if names & (_EXACT | _TIMED) and stream.rate:
            if stream.duration is not None and stream.time_base is not None:
                self.promised = round(stream.duration * stream.time_base * stream.rate)
            elif self._container.duration is not None:
                self.promised = round(self._container.duration * stream.rate / 1_000_000)
        if names & _EXACT:
            self.tolerance = 0
        elif "asf" in names and stream.rate:  # whose times begin late, and nobody agrees how late
            self.tolerance = stream.rate // 2
        if "mov" in names and stream.frames:  # in fragments, the first header cannot know how many will follow
            self.padding = MOST_PADDING
        return stream

    def blocks(self) -> Generator[Block]:
        """All samples in order: see :meth:`StreamReader.blocks`; what cannot be decoded is left out, and told last."""
        rate = position = lost = first = 0
        for frames in self._decoded():
            if frames is None:
                lost, first = lost + 1, first if lost else position
                continue
            for frame in frames:
                if frame.samples:
                    rate, position = frame.sample_rate, position + frame.samples
                    yield rate, _floats(frame)
                if frame.is_corrupt:
                    lost, first = lost + 1, first if lost else position
        if lost and first < position:
            self.problems.append(
                f"has packets that cannot be decoded, {lost} in all, the first at {first / rate:.3f} s: it is damaged"
            )
        elif lost:
            self.end = "ends in the middle of a packet: it is cut off"

    def _decoded(self) -> Iterator[list[AudioFrame] | None]:
        """What each packet holds; None for one that cannot be decoded, and for a container that ends in a failure."""
        packets = self._container.demux(self._stream)
        while True:
            frames: list[AudioFrame] | None = None
            packet = None
            try:
                packet = next(packets, None)
                if packet is not None:
                    frames = packet.decode()
            except self._errors:
                yield None
            self._guard.check()
            if packet is None:  # the end, or the container itself is damaged and nothing more comes out of it
                return
            if frames is not None:
                yield frames

    def close(self) -> None:
        """Release the decoder: see :meth:`StreamReader.close`."""
        self._container.close()


def _floats(frame: AudioFrame) -> NDArray[np.float32]:
    """The samples of a frame as ``(n, channels)``, with full scale at ±1: exact for up to 24 bits."""
    if frame.format.is_planar:  # of more than 8 channels PyAV may list planes that are not there, so it is not asked
        kind = _PLANAR[frame.format.name]
        planes = frame.planes[: frame.layout.nb_channels]
        samples = np.stack([np.frombuffer(cast(Any, plane), kind, frame.samples) for plane in planes], axis=1)
    else:
        samples = frame.to_ndarray().reshape(frame.samples, -1)
    if samples.dtype.kind == "u":
        samples = (samples - 128.0) / 128
    elif samples.dtype.kind == "i":
        samples = samples / 2.0 ** (8 * samples.dtype.itemsize - 1)
    return samples.astype(np.float32)


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return reason[:1].lower() + reason[1:]
