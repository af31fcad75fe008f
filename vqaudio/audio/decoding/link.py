"""What is known of a stream of sound before any of it is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Literal

from vqaudio.audio.decoding.section import Section

MOST_LINKS = 4096
"""More files than anybody joins; each takes its time to open."""
MOST_FAULTS = 1024
"""Places that are not what they seem: after so many, a file is no longer searched for what may follow."""
Decoder = Literal["pcm", "libsndfile", "ffmpeg"]
"""libsndfile where it seeks exactly; libsndfile in any case; FFmpeg."""


@dataclass
class Link:
    """One stream of sound within a file; most files are one, and chained ones are several, one after the other.

    Attributes:
        start, stop: its bytes.
        kind: what its first bytes say that it is; "" where they say nothing.
        decoders: who is asked to decode it, in this order, until one can.
        patches: corrections to its header, as :class:`Section` takes them.
        promised: samples in each channel that its header promises, where that was read here.
        is_exact: whether it is the very number, to the sample.
        promised_stop: where its header says that its bytes end; 0 where it does not say.
        missing_bytes: how many bytes of samples its header promises beyond the end of the file.
        remark: what else is wrong with it, as the rest of a sentence.
    """

    start: int
    stop: int
    kind: str = ""
    decoders: tuple[Decoder, ...] = ("pcm", "ffmpeg", "libsndfile")
    patches: dict[int, bytes] = field(default_factory=dict)
    promised: int | None = None
    is_exact: bool = False
    promised_stop: int = 0
    missing_bytes: int = 0
    remark: str = ""

    def section(self, file: IO[bytes]) -> Section:
        """Its bytes as a file."""
        return Section(file, start=self.start, stop=self.stop, patches=self.patches)
