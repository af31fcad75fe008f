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
    """A table's file with a header or a chunk changed and sealed."""
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
