"""The ``.vq`` bytes, format version 1: header, chunks that can be parsed alone, trailer. No sound, no networks.

``docs/format.md`` specifies every byte and the reasons; in short (``varint`` is unsigned LEB128 of at most 9 bytes)::

    header   8A 'V' 'Q'  version  codec fingerprint (6)  stream groups << 4 | entropy mode
             varints: source_rate  coded_rate  hop_length  chunk_frames  channels
             each stream group, varints: count  alphabet  stride
             entropy mode prior only: prior fingerprint (6)  varint length  condition (UTF-8)
             CRC-32 of the above (4)
    chunk    C0 | 1 raw fallback | 2 short   varint index   [varint n_frames, if short]   varint payload length
             payload   CRC-16 of the codes (2)   CRC-32 of the above (4)
    trailer  7E   varint n_samples   each chunk, varint: zigzag(its size - the size before)
             CRC-16 of the above (2)   size of the trailer (3)
    payload  each channel after the first, varint: the earlier channel it equals, or its own number
             codes by channel, stream, time in ceil(log2(alphabet)) bits each, most significant first, then 0 bits

Fixed-size integers are little-endian. The sample count and the seek index stand at the end so that a pipe can be
written; without them a reader scans for chunks.
"""

from __future__ import annotations

import re
from array import array
from binascii import crc_hqx
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, BinaryIO
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vqaudio.errors import ContainerError

VERSION = 1
MAGIC = b"\x8aVQ"
ENTROPY_MODES = ("none", "context", "prior")
CODED_MODES = ("none",)
"""The modes whose chunks can be written and read here; the others are known by name only."""

CHUNK, RAW, SHORT, TRAILER = 0xC0, 0x01, 0x02, 0x7E
CHUNK_START = re.compile(rb"[\xc0-\xc3]")
SMALLEST_CHUNK = 9
LONGEST_HEADER = 1024
LONGEST_CHUNK_HEAD = 1 + 3 * 9
LONGEST_TRAILER = 2**24 - 1

LIMITS = {
    "source_rate": (1, 2**31 - 1),
    "coded_rate": (1, 2**31 - 1),
    "hop_length": (1, 2**20),
    "chunk_frames": (1, 2**24),
    "channels": (1, 1024),
}
MAX_STREAMS = 64
MAX_GROUPS = 15
MAX_CODES = 2**24
"""In one chunk, over its streams and channels: 64 MiB as int32."""
MAX_CONDITION = 64

# ------------------------------------------------------------------------------------------------------------ fields


class _Damage(Exception):
    """Bytes that break a rule of the format; the message completes "... is damaged: "."""


class _Cursor:
    """Reads fields one after another, and never past the end."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            raise _Damage("it ends too early")
        self.position += count
        return piece

    def varint(self) -> int:
        value = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise _Damage("a number is longer than it needs to be")
                return value
        raise _Damage("a number is longer than 9 bytes")


def _varint(value: int) -> bytes:
    if not 0 <= value < 2**63:
        raise ValueError(f"{value} does not fit a varint of 9 bytes")
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def _zigzag(value: int) -> int:
    """0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    return 2 * value if value >= 0 else -2 * value - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


def _crc16(data: bytes) -> int:
    return crc_hqx(data, 0xFFFF)


# ------------------------------------------------------------------------------------------------------------ header


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
class Header:
    """What a file says of itself before its first chunk.

    ``codec`` and ``prior`` are fingerprints, 12 hexadecimal digits; rates are in Hz; ``hop_length`` is in samples at
    the coded rate. At least one stream has stride 1: it defines what a frame is.

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
        _limit("the number of codes in a chunk", self.channels * _codes(self, self.chunk_frames), 1, MAX_CODES)
        _limit("the format version", self.version, VERSION, VERSION)
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
        """Frames that ``n_samples`` samples at the source rate take."""
        coded_samples = -(-n_samples * self.coded_rate // self.source_rate)
        return -(-coded_samples // self.hop_length)

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
        data += b"".join(_varint(getattr(self, name)) for name in LIMITS)
        for count, stream in groups:
            data += _varint(count) + _varint(stream.alphabet) + _varint(stream.stride)
        if self.prior is not None:
            condition = self.condition.encode()
            data += bytes.fromhex(self.prior) + _varint(len(condition)) + condition
        return data + crc32(data).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> tuple[Header, int]:
        """The header at the start of ``data`` (1024 bytes are always enough), and its size in bytes.

        Raises:
            ContainerError: not a ``.vq`` file, a version or mode from the future, a damaged or absurd header.
        """
        if data[:3] != MAGIC:
            found = data[:3].hex(" ") or "nothing"
            raise ContainerError(
                f"is not a .vq file (starts with {found}, expected {MAGIC.hex(' ')}): name one that is"
            )
        if len(data) > 3 and data[3] != VERSION:
            advice = "update vqaudio to read it" if data[3] > VERSION else "get the file again from its source"
            raise ContainerError(f"has format version {data[3]}, but this vqaudio reads version {VERSION}: {advice}")
        try:
            return _parse_header(data)
        except _Damage as damage:
            raise ContainerError(f"the header is damaged: {damage}; get the file again from its source") from None


def _limit(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ContainerError(f"{name} is {value}, expected {f'{low} to {high}' if low < high else low}")


def _parse_header(data: bytes) -> tuple[Header, int]:
    cursor = _Cursor(data)
    cursor.take(len(MAGIC) + 1)
    codec = cursor.take(6).hex()
    n_groups, mode = divmod(cursor.take(1)[0], 16)
    if mode >= len(ENTROPY_MODES):
        # What follows may be laid out in a way not known here, the CRC's place included.
        raise ContainerError(f"uses entropy mode number {mode}, unknown to this vqaudio: update vqaudio to read it")
    numbers = {name: cursor.varint() for name in LIMITS}
    groups = [(cursor.varint(), Stream(cursor.varint(), cursor.varint())) for _ in range(n_groups)]
    prior, condition = None, b"none"
    if ENTROPY_MODES[mode] == "prior":
        prior = cursor.take(6).hex()
        condition = cursor.take(cursor.varint())
    if cursor.take(4) != crc32(data[: cursor.position - 4]).to_bytes(4, "little"):
        raise _Damage("its checksum does not match its bytes")
    # Checked before the streams are laid out one by one: a count is only a number until then.
    _limit("the number of streams", sum(count for count, _ in groups), 1, MAX_STREAMS)
    streams = tuple(stream for count, stream in groups for _ in range(count))
    try:
        text = condition.decode()
    except UnicodeDecodeError:
        raise _Damage("its condition is not UTF-8") from None
    header = Header(codec, **numbers, streams=streams, entropy=ENTROPY_MODES[mode], prior=prior, condition=text)
    return header, cursor.position


def _refuse_uncoded(header: Header) -> None:
    if header.entropy not in CODED_MODES:
        raise ContainerError(f"entropy mode {header.entropy} needs a newer vqaudio: update vqaudio")


# ------------------------------------------------------------------------------------------------------------- codes

Codes = list[NDArray[np.int32]]
"""One array of shape ``(channels, codes)`` for each stream."""


def _codes(header: Header, n_frames: int) -> int:
    """Codes of one channel."""
    return sum(stream.codes_in(n_frames) for stream in header.streams)


def _bits(header: Header, n_frames: int) -> int:
    """Packed bits of one channel."""
    return sum(stream.bits * stream.codes_in(n_frames) for stream in header.streams)


def _longest_payload(header: Header, n_frames: int) -> int:
    """No payload is longer: a coder that would expand its codes falls back to raw ones."""
    return 2 * (header.channels - 1) + (header.channels * _bits(header, n_frames) + 7) // 8


def _channel_bytes(codes: Codes) -> list[bytes]:
    """Each channel's codes as little-endian uint16, stream after stream: what the digest is taken over."""
    return [b"".join(stream[channel].astype("<u2").tobytes() for stream in codes) for channel in range(len(codes[0]))]


def _pack(header: Header, codes: Codes, channels: list[bytes]) -> bytes:
    """The raw payload; ``channels`` is :func:`_channel_bytes`, by which equal channels are found."""
    first: dict[bytes, int] = {}
    equals = [first.setdefault(content, channel) for channel, content in enumerate(channels)]
    stored = list(first.values())
    columns = []
    for stream, block in zip(header.streams, codes, strict=True):
        places = np.arange(stream.bits - 1, -1, -1, dtype=np.int32)
        columns.append((block[stored, :, None] >> places & 1).astype(np.uint8).reshape(len(stored), -1))
    return b"".join(map(_varint, equals[1:])) + np.packbits(np.concatenate(columns, axis=1)).tobytes()


def _unpack(header: Header, payload: bytes, n_frames: int) -> Codes:
    cursor = _Cursor(payload)
    equals = [0]
    for channel in range(1, header.channels):
        earlier = cursor.varint()
        if earlier > channel or (earlier < channel and equals[earlier] != earlier):
            raise _Damage(f"channel {channel} is said to equal channel {earlier}, which is not stored before it")
        equals.append(earlier)
    stored = sorted(set(equals))
    row_bits = _bits(header, n_frames)
    n_bits = len(stored) * row_bits
    packed = np.frombuffer(payload, np.uint8, offset=cursor.position)
    if len(packed) != (n_bits + 7) // 8:
        raise _Damage(f"its codes take {len(packed)} bytes, expected {(n_bits + 7) // 8}")
    bits = np.unpackbits(packed)
    if bits[n_bits:].any():
        raise _Damage("the bits after its last code are not zero")
    rows = bits[:n_bits].reshape(len(stored), row_bits)
    row_of_channel = np.searchsorted(stored, equals)
    codes, start = [], 0
    for stream in header.streams:
        stop = start + stream.bits * stream.codes_in(n_frames)
        codes.append(_join_bits(rows[:, start:stop], stream)[row_of_channel])
        start = stop
    return codes


def _join_bits(bits: NDArray[np.uint8], stream: Stream) -> NDArray[np.int32]:
    """``(rows, codes * stream.bits)`` bits to ``(rows, codes)`` integers."""
    columns = bits.reshape(len(bits), -1, stream.bits)
    values = np.zeros(columns.shape[:2], np.int32)
    for place in range(stream.bits):
        values <<= 1
        values |= columns[:, :, place]
    if values.max() >= stream.alphabet:
        raise _Damage(f"it holds code {values.max()} of an alphabet of {stream.alphabet}")
    return values


# ----------------------------------------------------------------------------------------------------------- writing


class Writer:
    """Writes a file front to back; ``file`` needs only ``write``, so pipes do.

    The header is written at once; then :meth:`write` for each chunk; then :meth:`close`, which leaves ``file`` open.

    Raises:
        ContainerError: an entropy mode that cannot be written.
    """

    def __init__(self, file: BinaryIO, header: Header):
        _refuse_uncoded(header)
        self._file, self.header = file, header
        self._index = bytearray()
        self._n_chunks = self._n_frames = self._last_size = 0
        self._closed = False
        file.write(header.to_bytes())

    def write(self, codes: Sequence[NDArray[Any]]) -> int:
        """Write one chunk and return its size in bytes.

        ``codes`` has an integer array of shape ``(channels, codes)`` for each stream, ``ceil(n_frames / stride)``
        codes for ``n_frames`` frames: ``header.chunk_frames`` of them, or fewer in the last chunk.

        Raises:
            ValueError: codes of another shape or out of their alphabet, or a chunk after a short one.
        """
        if self._closed or self._n_frames != self._n_chunks * self.header.chunk_frames:
            raise ValueError("no chunk can follow a short chunk or the trailer")
        checked, n_frames = self._check(codes)
        short = n_frames < self.header.chunk_frames
        channels = _channel_bytes(checked)
        payload = _pack(self.header, checked, channels)
        data = bytes([CHUNK | SHORT if short else CHUNK]) + _varint(self._n_chunks)
        data += (_varint(n_frames) if short else b"") + _varint(len(payload)) + payload
        data += _crc16(b"".join(channels)).to_bytes(2, "little")
        data += crc32(data).to_bytes(4, "little")
        self._file.write(data)
        self._index += _varint(_zigzag(len(data) - self._last_size))
        self._last_size = len(data)
        self._n_chunks += 1
        self._n_frames += n_frames
        return len(data)

    def _check(self, codes: Sequence[NDArray[Any]]) -> tuple[Codes, int]:
        streams = self.header.streams
        if len(codes) != len(streams):
            raise ValueError(f"expected {len(streams)} streams of codes, found {len(codes)}")
        arrays = [np.asarray(block) for block in codes]
        n_frames = next(block.shape[-1] for stream, block in zip(streams, arrays, strict=True) if stream.stride == 1)
        if not 1 <= n_frames <= self.header.chunk_frames:
            raise ValueError(f"a chunk holds 1 to {self.header.chunk_frames} frames, found {n_frames}")
        for number, (stream, block) in enumerate(zip(streams, arrays, strict=True)):
            shape = (self.header.channels, stream.codes_in(n_frames))
            found = f"{block.dtype} of shape {block.shape}"
            if block.shape != shape or block.dtype.kind not in "iu":
                raise ValueError(f"stream {number}: expected integers of shape {shape}, found {found}")
            if block.min() < 0 or block.max() >= stream.alphabet:
                found = f"{block.min()} to {block.max()}"
                raise ValueError(f"stream {number}: expected codes from 0 to {stream.alphabet - 1}, found {found}")
        return [block.astype(np.int32) for block in arrays], n_frames

    def close(self, n_samples: int) -> int:
        """Write the trailer and return its size in bytes.

        ``n_samples`` counts samples per channel at the source rate.

        Raises:
            ValueError: the chunks written do not hold ``n_samples`` samples, or the writer is closed.
            ContainerError: more chunks than an index of 16 MiB can list.
        """
        if self._closed:
            raise ValueError("the trailer is written already")
        if n_samples < 0 or self.header.n_frames(n_samples) != self._n_frames:
            raise ValueError(f"{self._n_frames} frames were written, which {n_samples} samples do not take")
        data = bytes([TRAILER]) + _varint(n_samples) + self._index
        data += _crc16(data).to_bytes(2, "little")
        size = len(data) + 3
        if size > LONGEST_TRAILER:
            raise ContainerError(f"{self._n_chunks} chunks are more than a .vq file can list: use longer chunks")
        self._file.write(data + size.to_bytes(3, "little"))
        self._closed = True
        return size


# ----------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Chunk:
    """One chunk as read: its codes, or what is wrong with it."""

    index: int
    n_frames: int
    codes: Codes | None
    """One int32 array of shape ``(channels, ceil(n_frames / stride))`` per stream; None where a problem is set."""
    problem: str | None = None


class Reader:
    """Reads a seekable file chunk by chunk, in any order, and never holds more than one chunk of it.

    ``n_samples`` counts samples per channel at the source rate; it is an estimate where ``has_trailer`` is false.
    ``problems`` has a sentence for whatever is wrong with the file as a whole; what is wrong with a chunk stands in
    the chunk. Iterating gives the chunks in order, those that are lost included.

    Raises:
        ContainerError: the file's header cannot be read; the message starts with ``name``.
    """

    def __init__(self, file: BinaryIO, name: str):
        self._file, self.name = file, name
        self._size = file.seek(0, 2)
        try:
            self.header, self._start = Header.from_bytes(self._bytes_at(0, LONGEST_HEADER))
            _refuse_uncoded(self.header)
        except ContainerError as error:
            raise ContainerError(f"{name}: {error}") from None
        self.problems: list[str] = []
        self.n_samples = 0
        # Where each chunk starts and how many bytes it has; 0 bytes for a chunk that is lost.
        self._offsets, self._sizes = array("q"), array("q")
        self._last_frames = 0
        self.has_trailer = self._read_trailer()
        if not self.has_trailer:
            self._scan()

    @property
    def n_chunks(self) -> int:
        """Chunks in the file, lost ones included."""
        return len(self._sizes)

    def n_frames(self, index: int) -> int:
        """Frames of a chunk: ``header.chunk_frames``, or fewer for the last."""
        if not 0 <= index < self.n_chunks:
            raise IndexError(f"chunk {index} of {self.n_chunks}")
        return self.header.chunk_frames if index < self.n_chunks - 1 else self._last_frames

    def time_range(self, index: int) -> tuple[float, float]:
        """The sound that a chunk's frames stand for: from, to, in seconds."""
        start = index * self.header.chunk_seconds
        stop = start + self.n_frames(index) / self.header.frame_rate
        end = self.n_samples / self.header.source_rate
        return min(start, end), min(stop, end)

    def chunk_of(self, sample: int) -> int:
        """The chunk that holds a sample (counted at the source rate); the nearest one for a sample outside the file."""
        header = self.header
        index = sample * header.coded_rate // (header.source_rate * header.hop_length * header.chunk_frames)
        return max(0, min(index, self.n_chunks - 1))

    def __iter__(self) -> Iterator[Chunk]:
        return map(self.chunk, range(self.n_chunks))

    def chunk(self, index: int) -> Chunk:
        """Read one chunk; damage is reported in it, never raised."""
        n_frames = self.n_frames(index)
        try:
            if not self._sizes[index]:
                raise _Damage("it was not found in the file")
            data = self._bytes_at(self._offsets[index], self._sizes[index])
            return Chunk(index, n_frames, _parse_chunk(self.header, data, index, n_frames))
        except _Damage as damage:
            return Chunk(index, n_frames, None, str(damage))

    def _bytes_at(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(max(0, min(count, self._size - offset)))

    def _read_trailer(self) -> bool:
        """Take sample count and index from the trailer, if there is one and all of it agrees with the file."""
        size = int.from_bytes(self._bytes_at(max(0, self._size - 3), 3), "little")
        end_of_chunks = self._size - size
        if end_of_chunks < self._start or self._bytes_at(end_of_chunks, 1) != bytes([TRAILER]):
            return False
        try:
            n_samples, sizes = _parse_trailer(self.header, self._bytes_at(end_of_chunks, size))
        except _Damage:
            return False
        if sum(sizes) != end_of_chunks - self._start:
            return False
        self.n_samples, self._sizes = n_samples, sizes
        offset = self._start
        for chunk_size in sizes:
            self._offsets.append(offset)
            offset += chunk_size
        self._last_frames = self.header.n_frames(n_samples) - (len(sizes) - 1) * self.header.chunk_frames
        return True

    def _scan(self) -> None:
        """Find the chunks without an index: each where the one before it ends, or else at the next place that fits."""
        # A file made to hold a false start at every byte would otherwise take time that grows with its size squared.
        self._may_check = 64 * self._size
        position = self._start
        while found := self._find_chunk(position):
            offset, head = found
            lost = head.index - self.n_chunks
            self._offsets.extend([0] * lost + [offset])
            self._sizes.extend([0] * lost + [head.size])
            self._last_frames = head.n_frames
            position = offset + head.size
            if head.n_frames < self.header.chunk_frames:
                break
        header = self.header
        n_frames = max(0, self.n_chunks - 1) * header.chunk_frames + self._last_frames
        self.n_samples = n_frames * header.hop_length * header.source_rate // header.coded_rate
        self.problems.append(
            "the trailer is missing or damaged (is the file cut off?): the sound's length is estimated"
        )
        if position < self._size:
            self.problems.append(f"the last {self._size - position} bytes hold no readable chunk")

    def _find_chunk(self, start: int) -> tuple[int, _ChunkHead] | None:
        return next(((at, head) for at in self._possible_starts(start) if (head := self._intact_chunk(at))), None)

    def _possible_starts(self, start: int, block: int = 1 << 16) -> Iterator[int]:
        yield start
        for base in range(start + 1, self._size, block):
            for match in CHUNK_START.finditer(self._bytes_at(base, block)):
                yield base + match.start()

    def _intact_chunk(self, offset: int) -> _ChunkHead | None:
        """The head of the chunk at ``offset``, if its checksum is right and it may follow those found so far."""
        try:
            head = _parse_chunk_head(self.header, _Cursor(self._bytes_at(offset, LONGEST_CHUNK_HEAD)))
        except _Damage:
            return None
        # The second bound keeps a forged number from standing for more lost chunks than a file like this could hold.
        plausible = self.n_chunks <= head.index <= self._size // SMALLEST_CHUNK
        if not plausible or offset + head.size > self._size or head.size > self._may_check:
            return None
        self._may_check -= head.size
        return head if _crc32_matches(self._bytes_at(offset, head.size)) else None


@dataclass(frozen=True)
class _ChunkHead:
    """The fields before a chunk's payload, and the size in bytes that they give the chunk."""

    index: int
    n_frames: int
    payload_size: int
    size: int


def _parse_chunk_head(header: Header, cursor: _Cursor) -> _ChunkHead:
    kind = cursor.take(1)[0]
    allowed = (CHUNK, CHUNK | SHORT) if header.entropy == "none" else range(CHUNK, CHUNK + 4)
    if kind not in allowed:
        raise _Damage(f"it starts with byte {kind:02x}, which no chunk of this file does")
    index, n_frames = cursor.varint(), header.chunk_frames
    if kind & SHORT:
        n_frames = cursor.varint()
        if not 1 <= n_frames < header.chunk_frames:
            raise _Damage(f"it is marked short but holds {n_frames} frames, a full chunk {header.chunk_frames}")
    payload_size = cursor.varint()
    longest = _longest_payload(header, n_frames)
    if payload_size > longest:
        raise _Damage(f"its payload is said to have {payload_size} bytes, and at most {longest} are possible")
    return _ChunkHead(index, n_frames, payload_size, cursor.position + payload_size + 6)


def _crc32_matches(chunk: bytes) -> bool:
    return crc32(chunk[:-4]).to_bytes(4, "little") == chunk[-4:]


def _parse_chunk(header: Header, data: bytes, index: int, n_frames: int) -> Codes:
    """The codes in ``data``, which must be all of chunk ``index`` and nothing else."""
    if not _crc32_matches(data):
        raise _Damage("its checksum does not match its bytes")
    cursor = _Cursor(data)
    head = _parse_chunk_head(header, cursor)
    for what, found, expected in (
        ("number", head.index, index),
        ("count of frames", head.n_frames, n_frames),
        ("size in bytes", head.size, len(data)),
    ):
        if found != expected:
            raise _Damage(f"its {what} is {found}, expected {expected}")
    codes = _unpack(header, cursor.take(head.payload_size), n_frames)
    if cursor.take(2) != _crc16(b"".join(_channel_bytes(codes))).to_bytes(2, "little"):
        raise _Damage("its codes do not match their digest")
    return codes


def _parse_trailer(header: Header, data: bytes) -> tuple[int, array[int]]:
    """The sample count and the size of each chunk in bytes."""
    body = data[:-5]
    if data[-5:-3] != _crc16(body).to_bytes(2, "little"):
        raise _Damage("its checksum does not match its bytes")
    cursor = _Cursor(body)
    cursor.take(1)
    longest = LONGEST_CHUNK_HEAD + _longest_payload(header, header.chunk_frames) + 6
    n_samples = cursor.varint()
    sizes, size = array("q"), 0
    while cursor.position < len(body):
        size += _unzigzag(cursor.varint())
        if not SMALLEST_CHUNK <= size <= longest:
            raise _Damage(f"it lists a chunk of {size} bytes")
        sizes.append(size)
    if header.n_chunks(n_samples) != len(sizes):
        raise _Damage(f"it lists {len(sizes)} chunks for {n_samples} samples")
    return n_samples, sizes
