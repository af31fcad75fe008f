"""What can be chosen of how sound is stored. No library is needed to know it, so that ``--help`` has it at once."""

from __future__ import annotations

ENTROPY_MODES = ("none", "context", "prior")
"""How codes are written: as they are, or shorter by what came before in a chunk, or by a trained prior."""
CHUNK_SECONDS = 5.0
RAW_SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "PCM_S8", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""What a sample without a header may be stored as: libsndfile's names."""
