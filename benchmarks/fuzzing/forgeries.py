"""``.vq`` files that are damaged where no checksum tells: fields at their limits, hostile headers, all sealed anew."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any

from benchmarks.fuzzing.mutations import LIMITS, mutated
from vqaudio.container.fields import Cursor, DamageError, crc16_bytes, crc32_bytes, varint
from vqaudio.container.header import MAGIC, TABLE_VERSION
from vqaudio.series import StoredTable, chunk, header
from vqaudio.series.described import pack, unpack

SOUND_FIELDS = 11
"""Bytes before the first varint of a sound's header: magic, version, fingerprint, mode."""
HOSTILE = (
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    1e308,
    float("nan"),
    "",
    "x" * 70,
    [],
    {},
    [[]],
    {"a": 0},
    "int64",
    "O",
    "V8",
)
BOMBS = ((b"[", 100_000, b""), (b"[]," * 99, 50_000, b""), (b" " * 3_000, 100_000, b"{}"))
"""JSON that is deep, wide, or long, as what is repeated, how often, and what follows."""


def sealed(body: bytes) -> bytes:
    """A header or a chunk with its CRC-32."""
    return body + crc32_bytes(body)


def number(random: Random) -> int:
    """Something for a field: mostly small or at a limit."""
    value = random.choice(LIMITS) + random.randint(-2, 2) if random.random() < 0.7 else random.randrange(300)
    return min(max(0, value), 2**63 - 1)


def varints(data: bytes) -> list[int]:
    """All that ``data`` begins with."""
    found, cursor = [], Cursor(data)
    try:
        while cursor.position < len(data):
            found.append(cursor.varint())
    except DamageError:
        pass
    return found


def forged_sound(data: bytes, pieces: Sequence[int], others: Sequence[bytes], random: Random) -> bytes:
    """A file of sound with some piece changed and sealed; ``pieces`` are where its header and chunks end."""
    where = random.randrange(len(pieces) + 1)
    starts = [0, *pieces]
    start, stop = starts[where], [*pieces, len(data)][where]
    piece = data[start:stop]
    if where == len(pieces):
        numbers = varints(piece[1:-5])
        body = piece[:1] + b"".join(map(varint, _with_limits(numbers, random)))
        piece = body + crc16_bytes(body) + (len(body) + 5).to_bytes(3, "little")
    elif where == 0:
        piece = _forged_header(piece[:-4], others, random)
    elif random.random() < 0.5:
        body = bytearray(mutated(piece[:-4], others, random))
        piece = sealed(bytes(body))
    else:
        numbers = varints(piece[1:12])[:3]
        head = b"".join(map(varint, numbers))
        kind = bytes([piece[0] if random.random() < 0.7 else random.choice(range(0xC0, 0xC8))])
        piece = sealed(kind + b"".join(map(varint, _with_limits(numbers, random))) + piece[1 + len(head) : -4])
    return data[:start] + piece + data[stop:]


def _forged_header(body: bytes, others: Sequence[bytes], random: Random) -> bytes:
    if random.random() < 0.3:
        return sealed(body[:SOUND_FIELDS] + mutated(body[SOUND_FIELDS:], others, random))
    groups = body[SOUND_FIELDS - 1] >> 4
    fields = 5 if body[3] == 1 else 6  # the margin came later
    numbers = varints(body[SOUND_FIELDS:])[: fields + 3 * groups]
    rest = body[SOUND_FIELDS + len(b"".join(map(varint, numbers))) :]
    return sealed(body[:SOUND_FIELDS] + b"".join(map(varint, _with_limits(numbers, random))) + rest)


def _with_limits(numbers: list[int], random: Random) -> list[int]:
    made = list(numbers)
    for _ in range(random.choice((1, 1, 2))):
        if made:
            made[random.randrange(len(made))] = number(random)
    return made


def forged_table(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A table's file with its header, a chunk or the trailer changed and sealed."""
    if data[3] != TABLE_VERSION:
        return _forged_version_2(data, others, random)
    places = StoredTable(data).layout.places
    start, stop = places[0].offset, places[-1].offset + places[-1].size
    pieces = [data[:start], *(data[place.offset : place.offset + place.size] for place in places), data[stop:]]
    where = random.randrange(len(pieces))
    if where == 0:
        pieces[0] = _forged_text_of_header(pieces[0], random)
    elif where == len(pieces) - 1:
        numbers = varints(pieces[-1][1:-5])
        body = pieces[-1][:1] + b"".join(map(varint, _with_limits(numbers, random)))
        pieces[-1] = body + crc16_bytes(body) + (len(body) + 5).to_bytes(3, "little")
    else:
        pieces[where] = _forged_chunk(pieces[where], _text_of(pieces[0]), others, random)
    return b"".join(pieces)


def _text_of(data: bytes) -> bytes:
    """The JSON of a whole header of version 4."""
    cursor = Cursor(data)
    cursor.take(len(MAGIC) + 1)
    return unpack(cursor.take(cursor.varint()), 0, len(data), known=header.KNOWN_TEXT)[1]


def _forged_text_of_header(data: bytes, random: Random) -> bytes:
    packed = pack(_forged_meta(_text_of(data), random), header.KNOWN_TEXT)
    return sealed(data[: len(MAGIC) + 1] + varint(len(packed)) + packed)


def _forged_chunk(data: bytes, header_text: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """A chunk of version 4 with other JSON, other counts of rows, or other bytes."""
    known = chunk.KNOWN_TEXT + header_text
    cursor = Cursor(data[1:-4])
    cursor.varint()
    numbers = [cursor.varint(), cursor.varint()]
    packed = cursor.take(cursor.varint())
    rest = cursor.data[cursor.position :]
    choice = random.random()
    if choice < 0.4:
        packed = pack(_forged_meta(unpack(packed, numbers[1], len(data), known=known)[1], random), known)
    elif choice < 0.6:
        numbers = _with_limits(numbers, random)
    else:
        rest = mutated(rest, others, random)
    body = b"".join(map(varint, [*numbers, len(packed)])) + packed + rest
    return sealed(data[:1] + varint(len(body)) + body)


def _forged_version_2(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """The same for a file of version 2."""
    cursor = Cursor(data)
    head = cursor.take(4)
    packed = cursor.take(cursor.varint())
    rows, chunk_rows = cursor.varint(), cursor.varint()
    sizes = [cursor.varint() for _ in range(-(-rows // chunk_rows))]
    start = cursor.position + 4
    chunks = []
    for size in sizes:
        chunks.append(data[start : start + size])
        start += size
    numbers = [rows, chunk_rows]
    choice = random.random()
    if choice < 0.4:
        packed = zlib.compress(_forged_meta(zlib.decompress(packed), random))
    elif choice < 0.6:
        numbers = _with_limits(numbers, random)
    elif chunks:
        place = random.randrange(len(chunks))
        chunks[place] = sealed(mutated(chunks[place][:-4], others, random))
        sizes = list(map(len, chunks))
    body = head + varint(len(packed)) + packed + b"".join(map(varint, [*numbers, *sizes]))
    return sealed(body) + b"".join(chunks)


def _forged_meta(text: bytes, random: Random) -> bytes:
    """Other JSON: with a hostile value somewhere, or a bomb."""
    if random.random() < 0.004:
        piece, times, rest = random.choice(BOMBS)
        return b"[" + piece * times + rest
    meta = json.loads(text.decode("utf-8", "surrogatepass"))
    for _ in range(random.choice((1, 1, 2))):
        _replace(meta, random)
    return json.dumps(meta, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _replace(value: Any, random: Random) -> None:
    """Change something somewhere within: the value at a key, or the key."""
    while isinstance(value, dict | list) and value:
        key = random.choice(list(value) if isinstance(value, dict) else range(len(value)))
        inner = value[key]
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.2:
            if random.random() < 0.2:
                del value[key]
            else:
                value[key] = deepcopy(random.choice(HOSTILE))
            return
        value = inner
