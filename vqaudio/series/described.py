"""What a file says in words, as deflated JSON, and how much of it a file of some size may say."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

import numpy as np

from vqaudio.container.fields import DamageError

MOST_TEXT, TEXT_PER_BYTE = 1 << 22, 128
"""Bytes of JSON that are unpacked for any file, and for each of its bytes: alike descriptions of columns pack well."""
MOST_CONTAINERS, CONTAINERS_PER_BYTE = 1 << 12, 4
"""Lists and objects: about ten a column, which takes four bytes or more of each chunk."""
MOST_ITEMS, ITEMS_PER_BYTE, ROWS_PER_ITEM = 1 << 16, 8, 8
"""What stands in them: words, and cells that are kept as they stood."""
MOST_DEPTH = 8
ZLIB, RAW = 15, -15
"""How deflated text is wrapped: with zlib's header and checksum, or not at all."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def as_text(meta: Any) -> bytes:
    """JSON without a byte too many."""
    return json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def pack(text: bytes, known: bytes) -> bytes:
    """A text, deflated; ``known`` is what packer and unpacker have in common, zlib's preset dictionary."""
    packer = zlib.compressobj(9, zlib.DEFLATED, RAW, 9, zdict=known)
    return packer.compress(text) + packer.flush()


def unpack(data: bytes, n_rows: int, n_bytes: int, *, known: bytes | None = None) -> tuple[Any, bytes]:
    """The JSON of which :func:`pack` was given the text, and that text; without ``known``, from zlib's own wrapping.

    Args:
        data: the deflated text.
        n_rows, n_bytes: of the file, or the chunk, that it describes.
        known: as for :func:`pack`.

    Raises:
        DamageError: no such text, or more of it than rows and bytes can be worth.
    """
    most = MOST_TEXT + TEXT_PER_BYTE * n_bytes
    unpacker = zlib.decompressobj(ZLIB) if known is None else zlib.decompressobj(RAW, zdict=known)
    try:
        text = unpacker.decompress(data, most)
    except zlib.error as error:
        raise DamageError(str(error)) from None
    if unpacker.unconsumed_tail:
        raise DamageError(f"it describes itself in more than {most} bytes")
    _check_amount(_STRING.sub(b"", text), n_rows, n_bytes)
    try:
        return json.loads(text.decode("utf-8", "surrogatepass")), text
    except ValueError as error:
        raise DamageError(str(error)) from None


def _check_amount(bare: bytes, n_rows: int, n_bytes: int) -> None:
    """Refuse what would take much more memory than the file; ``bare`` is JSON without its strings."""
    signs = np.frombuffer(bare, np.uint8)
    steps = np.isin(signs, np.frombuffer(b"[{", np.uint8)).astype(np.int8)
    n_containers = int(np.count_nonzero(steps))
    steps[np.isin(signs, np.frombuffer(b"]}", np.uint8))] = -1
    depth = int(steps.cumsum(dtype=np.int32).max(initial=0))
    if depth > MOST_DEPTH:
        raise DamageError(f"it describes itself in lists {depth} deep, expected {MOST_DEPTH} at most")
    most_containers = MOST_CONTAINERS + CONTAINERS_PER_BYTE * n_bytes
    most_items = MOST_ITEMS + ITEMS_PER_BYTE * n_bytes + n_rows // ROWS_PER_ITEM
    if n_containers > most_containers or bare.count(b",") > most_items:
        raise DamageError(f"it describes itself in more parts than a file of {n_bytes} bytes needs")
