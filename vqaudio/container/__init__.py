"""The ``.vq`` bytes, format versions 1 and 3: header, chunks that can be parsed alone, trailer. No sound, no networks.

``docs/format.md`` specifies every byte and the reasons; in short (``varint`` is unsigned LEB128 of at most 9 bytes)::

    header   8A 'V' 'Q'  version  codec fingerprint (6)  stream groups << 4 | entropy mode
             varints: source_rate  coded_rate  hop_length  chunk_frames  channels  [margin, from version 3 on]
             each stream group, varints: count  alphabet  stride
             entropy mode prior only: prior fingerprint (6)  varint length  condition (UTF-8)
             CRC-32 of the above (4)
    chunk    C0 | 1 raw fallback | 2 short | 4 levels   varint index   [varint n_frames, if short]
             varint payload length   payload   CRC-16 of the codes (2)   CRC-32 of the above (4)
    trailer  7E   varint n_samples   each chunk, varint: zigzag(its size - the size before)
             CRC-16 of the above (2)   size of the trailer (3)
    payload  [each channel, varints, if levels: zigzag(exponent)  zigzag(offset)]
             each channel after the first, varint: the earlier channel it equals, or its own number
             codes by channel, stream, time in ceil(log2(alphabet)) bits each, most significant first, then 0 bits

Fixed-size integers are little-endian. The sample count and the seek index stand at the end so that a pipe can be
written; without them a reader scans for chunks.

Modules from the bytes up: ``fields``, ``header``, ``levels``, ``codes``, ``chunk``, ``trailer``, then ``writer`` and
``reader``; and ``stored``, what files of sound and of tables have in common.
"""

from __future__ import annotations

from vqaudio.config.coding import ENTROPY_MODES
from vqaudio.container.codes import ChunkCodes, CodedPayload, Coder
from vqaudio.container.header import SoundHeader, Stream
from vqaudio.container.levels import PLAIN, Level
from vqaudio.container.reader import Chunk, Reader
from vqaudio.container.stored import Damage, Header, StoredFile
from vqaudio.container.writer import Writer

__all__ = [
    "ENTROPY_MODES",
    "PLAIN",
    "Chunk",
    "ChunkCodes",
    "CodedPayload",
    "Coder",
    "Damage",
    "Header",
    "Level",
    "Reader",
    "SoundHeader",
    "StoredFile",
    "Stream",
    "Writer",
]
