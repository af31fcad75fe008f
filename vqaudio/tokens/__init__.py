"""Tokens on disk: what priors and language models learn from, as Parquet files that whatever reads Parquet can read."""

from __future__ import annotations

from vqaudio.tokens.index import Tokens, open_tokens
from vqaudio.tokens.parquet import SUFFIX, header_of, read, write
from vqaudio.tokens.part import Header, PartDone, Problem, summary
from vqaudio.tokens.rows import Origin, Row

__all__ = [
    "SUFFIX",
    "Header",
    "Origin",
    "PartDone",
    "Problem",
    "Row",
    "Tokens",
    "header_of",
    "open_tokens",
    "read",
    "summary",
    "write",
]
