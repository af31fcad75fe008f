"""What the file is built of: numbers of any size, fields read one after another, and checksums."""

from __future__ import annotations

from binascii import crc_hqx
from zlib import crc32


class DamageError(Exception):
    """Bytes that break a rule of the format; the message completes "... is damaged: "."""


class Cursor:
    """Reads fields one after another, and never past the end."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            raise DamageError("it ends too early")
        self.position += count
        return piece

    def varint(self) -> int:
        """The next number; only its shortest form is taken."""
        value = 0
        for shift in range(0, 63, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise DamageError("a number is longer than it needs to be")
                return value
        raise DamageError("a number is longer than 9 bytes")


def varint(value: int) -> bytes:
    """Unsigned LEB128: 7 bits a byte, lowest first.

    >>> varint(300).hex()
    'ac02'
    >>> Cursor(varint(300)).varint()
    300
    """
    if not 0 <= value < 2**63:
        raise ValueError(f"{value} does not fit a varint of 9 bytes")
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def zigzag(value: int) -> int:
    """0, -1, 1, -2, ... to 0, 1, 2, 3, ...

    >>> [zigzag(value) for value in (0, -1, 1, -2)]
    [0, 1, 2, 3]
    """
    return 2 * value if value >= 0 else -2 * value - 1


def unzigzag(value: int) -> int:
    """0, 1, 2, 3, ... to 0, -1, 1, -2, ..."""
    return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


def crc16_bytes(data: bytes) -> bytes:
    """The CRC-16 of ``data`` as it stands in a file."""
    return crc_hqx(data, 0xFFFF).to_bytes(2, "little")


def crc32_bytes(data: bytes) -> bytes:
    """The CRC-32 of ``data`` as it stands in a file."""
    return crc32(data).to_bytes(4, "little")
