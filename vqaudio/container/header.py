"""What a file says of itself before its first chunk, and the limits that it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from vqaudio.config.coding import ENTROPY_MODES
from vqaudio.container.fields import Cursor, DamageError, crc32_bytes, varint
from vqaudio.errors import ContainerError

VERSION = 3
"""Of files that are written; 1 is read too: it knows neither a margin nor levels."""
VERSIONS = (1, 3)
TABLE_VERSION = 4
"""Of files that are written for tables, which :mod:`vqaudio.series` reads."""
TABLE_VERSIONS = (2, 4)
MAGIC = b"\x8aVQ"
LONGEST_HEADER = 1024

LIMITS = {
    "source_rate": (1, 2**31 - 1),
    "coded_rate": (1, 2**31 - 1),
    "hop_length": (1, 2**20),
    "chunk_frames": (1, 2**24),
    "channels": (1, 1024),
    "margin": (0, 2**20),
}
MAX_STREAMS = 64
MAX_GROUPS = 15
MAX_CODES = 2**24
"""In one chunk, over its streams and channels: 64 MiB as int32."""
MAX_CONDITION = 64


@dataclass(frozen=True)
class Stream:
    """One stream of codes (a codebook's): integers in ``[0, alphabet)``, one for every ``stride`` frames."""

    alphabet: int
    stride: int = 1

    @property
    def bits(self) -> int:
        """Bits of one packed code."""
        return (self.alphabet - 1).bit_length()

    def codes_in(self, n_frames: int) -> int:
        """Codes that ``n_frames`` frames take; the last may stand for fewer than ``stride`` frames."""
        return -(-n_frames // self.stride)


@dataclass(frozen=True)
class SoundHeader:
    """What a file says of itself before its first chunk.

    ``codec`` and ``prior`` are fingerprints, 12 hexadecimal digits; rates are in Hz; ``hop_length`` is in samples at
    the coded rate. At least one stream has stride 1: it defines what a frame is. ``margin`` is how many samples at the
    coded rate the frames begin before the sound, and go on after it at least.

    Raises:
        ContainerError: a value out of the format's limits, named with the limit.
    """

    codec: str
    source_rate: int
    coded_rate: int
    hop_length: int
    chunk_frames: int
    channels: int
    streams: tuple[Stream, ...]
    entropy: str = "none"
    prior: str | None = None
    condition: str = "none"
    margin: int = 0
    version: int = VERSION

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            _limit(name, getattr(self, name), low, high)
        _limit("the number of streams", len(self.streams), 1, MAX_STREAMS)
        _limit("the number of groups of equal streams", len(self._groups), 1, MAX_GROUPS)
        for number, stream in enumerate(self.streams):
            _limit(f"the alphabet of stream {number}", stream.alphabet, 2, 65536)
            _limit(f"the stride of stream {number}", stream.stride, 1, self.chunk_frames)
        _limit("the smallest stride of all streams", min(stream.stride for stream in self.streams), 1, 1)
        codes = sum(stream.codes_in(self.chunk_frames) for stream in self.streams)
        _limit("the number of codes in a chunk", self.channels * codes, 1, MAX_CODES)
        if self.version not in VERSIONS:
            raise ContainerError(f"the format version is {self.version}, expected {_VERSIONS}")
        if self.margin and self.version == 1:
            raise ContainerError(f"the margin is {self.margin}, expected 0 in format version 1")
        if self.entropy not in ENTROPY_MODES:
            raise ContainerError(f"the entropy mode is {self.entropy!r}, expected one of {', '.join(ENTROPY_MODES)}")
        if (self.entropy == "prior") != (self.prior is not None):
            raise ContainerError("a prior fingerprint belongs to entropy mode prior only: give both or neither")
        if self.entropy != "prior" and self.condition != "none":
            raise ContainerError(f"the condition {self.condition!r} needs entropy mode prior, found {self.entropy}")
        _limit("the length of the condition in bytes", len(self.condition.encode()), 0, MAX_CONDITION)
        for fingerprint in filter(None, (self.codec, self.prior)):
            if not re.fullmatch("[0-9a-f]{12}", fingerprint):
                raise ContainerError(f"the fingerprint {fingerprint!r} is not 12 hexadecimal digits in lower case")

    @property
    def frame_rate(self) -> float:
        """Frames per second (Hz)."""
        return self.coded_rate / self.hop_length

    @property
    def chunk_seconds(self) -> float:
        """Sound in a full chunk, seconds."""
        return self.chunk_frames / self.frame_rate

    @property
    def bits_per_second(self) -> float:
        """Rate of the packed codes of all channels, without framing."""
        return self.channels * self.frame_rate * sum(stream.bits / stream.stride for stream in self.streams)

    def n_frames(self, n_samples: int) -> int:
        """Frames that ``n_samples`` samples at the source rate take, with the margin at either end."""
        coded_samples = -(-n_samples * self.coded_rate // self.source_rate)
        return -(-(coded_samples + 2 * self.margin) // self.hop_length) if n_samples else 0

    def n_chunks(self, n_samples: int) -> int:
        """Chunks that ``n_samples`` samples at the source rate take."""
        return -(-self.n_frames(n_samples) // self.chunk_frames)

    @property
    def _groups(self) -> list[tuple[int, Stream]]:
        """Runs of equal streams: how many, and of what."""
        return [(len(list(run)), stream) for stream, run in groupby(self.streams)]

    def to_bytes(self) -> bytes:
        """The header as it stands in a file."""
        groups = self._groups
        data = MAGIC + bytes([self.version]) + bytes.fromhex(self.codec)
        data += bytes([len(groups) << 4 | ENTROPY_MODES.index(self.entropy)])
        data += b"".join(varint(getattr(self, name)) for name in _fields(self.version))
        for count, stream in groups:
            data += varint(count) + varint(stream.alphabet) + varint(stream.stride)
        if self.prior is not None:
            condition = self.condition.encode()
            data += bytes.fromhex(self.prior) + varint(len(condition)) + condition
        return data + crc32_bytes(data)

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[SoundHeader, int]:
        """The header at the start of ``data`` (1024 bytes are always enough), and its size in bytes.

        Raises:
            ContainerError: not a ``.vq`` file, a version or mode from the future, a damaged or absurd header.
        """
        if data[:3] != MAGIC:
            found = data[:3].hex(" ") or "nothing"
            raise ContainerError(
                f"is not a .vq file (starts with {found}, expected {MAGIC.hex(' ')}): name one that is"
            )
        if holds_table(data):
            raise ContainerError("holds a table, not sound: decompress it to .csv, .parquet, .npy or .npz")
        if len(data) > 3 and data[3] not in VERSIONS:
            advice = "update vqaudio to read it" if data[3] > VERSION else "get the file again from its source"
            raise ContainerError(f"has format version {data[3]}, but this vqaudio reads {_VERSIONS}: {advice}")
        try:
            return _parse_header(data)
        except DamageError as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None


def holds_table(start: bytes) -> bool:
    """Whether a ``.vq`` file that begins so holds a table; four bytes tell."""
    return start[:4] in [MAGIC + bytes([version]) for version in TABLE_VERSIONS]


_VERSIONS = " or ".join(map(str, VERSIONS))


def _fields(version: int) -> list[str]:
    """The numbers of a header, in their order."""
    return [name for name in LIMITS if name != "margin" or version > 1]


def _limit(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ContainerError(f"{name} is {value}, expected {f'{low} to {high}' if low < high else low}")


def _parse_header(data: bytes) -> tuple[SoundHeader, int]:
    cursor = Cursor(data)
    version = cursor.take(len(MAGIC) + 1)[-1]
    codec = cursor.take(6).hex()
    n_groups, mode = divmod(cursor.take(1)[0], 16)
    if mode >= len(ENTROPY_MODES):
        # What follows may be laid out in a way not known here, the CRC's place included.
        raise ContainerError(f"uses entropy mode number {mode}, unknown to this vqaudio: update vqaudio to read it")
    numbers = {name: cursor.varint() for name in _fields(version)}
    groups = [(cursor.varint(), Stream(cursor.varint(), cursor.varint())) for _ in range(n_groups)]
    prior, condition = None, b"none"
    if ENTROPY_MODES[mode] == "prior":
        prior = cursor.take(6).hex()
        condition = cursor.take(cursor.varint())
    if cursor.take(4) != crc32_bytes(data[: cursor.position - 4]):
        raise DamageError("its checksum does not match its bytes")
    # Checked before the streams are laid out one by one: a count is only a number until then.
    _limit("the number of streams", sum(count for count, _ in groups), 1, MAX_STREAMS)
    streams = tuple(stream for count, stream in groups for _ in range(count))
    try:
        text = condition.decode()
    except UnicodeDecodeError:
        raise DamageError("its condition is not UTF-8") from None
    numbers |= {"version": version}
    header = SoundHeader(codec, **numbers, streams=streams, entropy=ENTROPY_MODES[mode], prior=prior, condition=text)
    return header, cursor.position
