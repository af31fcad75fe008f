"""The sound in a ``.vq`` file: a source of samples, decoded as they are read, whole or in part."""

from __future__ import annotations

from vqaudio.audio.resampling import BLOCK_SECONDS, FILTER_REACH
from vqaudio.audio.source import MAX_RATE, MIN_RATE, Window
from vqaudio.codec.blocks import Block
from vqaudio.codec.decoding import CodedBlocks, decoded_source
from vqaudio.codec.opened import StoredSound
from vqaudio.container import Damage, SoundHeader
from vqaudio.errors import ContainerError
from vqaudio.inference.base import Networks

LARGEST_BLOCK = 2**28
"""Samples of all channels that are held at once: 1 GiB as float32."""


class DecodedSound:
    """A :class:`vqaudio.audio.source.Source` with the rate, channels and samples that were coded.

    What is lost is silent. ``speaker`` is the number of the speaker whose voice it has; 0 for no known one.

    Attributes:
        stored: the file.
        sample_rate, channels: of what was coded; Hz.

    Raises:
        ContainerError: a sample rate or a chunk beyond what can be handled.
    """

    def __init__(self, networks: Networks, stored: StoredSound, *, silence: list[int], speaker: int = 0):
        header = stored.header
        if not MIN_RATE <= header.source_rate <= MAX_RATE:
            found = f"its sample rate is {header.source_rate} Hz"
            raise ContainerError(f"{stored.name}: {found}, expected {MIN_RATE} to {MAX_RATE}: it is damaged")
        try:
            refuse_large(header)
        except ContainerError as error:
            raise ContainerError(f"{stored.name}: {error}") from None
        self.stored, self.sample_rate, self.channels = stored, header.source_rate, header.channels
        self._reach = networks.decoder_context / networks.config.frame_rate
        if header.source_rate != header.coded_rate:
            self._reach += FILTER_REACH / min(header.source_rate, header.coded_rate)
        coded = CodedBlocks(
            self._block_of,
            header.channels,
            lambda: stored.n_samples,
            header.chunk_frames,
            len(header.streams),
            header.margin,
            fading=header.version == 1,
        )
        self._inside = decoded_source(networks, coded, sample_rate=header.source_rate, silence=silence, speaker=speaker)

    @property
    def n_samples(self) -> int:
        """In each channel; ``ENDLESS`` while the end of the file has not arrived."""
        return self.stored.n_samples

    def __repr__(self) -> str:
        return f"<DecodedSound of {self.stored!r}>"

    def read(self, start: int, stop: int) -> Window:
        """Samples ``start`` to ``stop`` as float32 ``(channels, stop - start)``; zeros outside the sound."""
        return self._inside.read(start, stop)

    @property
    def damage(self) -> list[Damage]:
        """What was found damaged so far, as it is heard.

        The time range of each lost chunk is wider by what decoding and resampling see beyond its edges.
        """
        return self.stored.damage_heard(self._reach)

    def _block_of(self, index: int) -> Block | None:
        chunk = self.stored.chunk(index)
        return None if chunk is None or chunk.codes is None else Block(chunk.codes, chunk.levels)


def refuse_large(header: SoundHeader) -> None:
    """Do nothing where a chunk's sound, and a resampled block, fit into memory.

    Raises:
        ContainerError: they are beyond ``LARGEST_BLOCK``.
    """
    chunk = header.chunk_frames * header.hop_length
    samples = header.channels * max(chunk, BLOCK_SECONDS * header.source_rate)
    if samples > LARGEST_BLOCK:
        raise ContainerError(
            f"{header.channels} channels at {header.source_rate} Hz in chunks of {header.chunk_seconds:g} s need "
            f"{samples} samples in memory at once, and at most {LARGEST_BLOCK} are handled: use shorter chunks, a "
            "lower sample rate or fewer channels"
        )
