"""Tokens on disk: what priors and language models learn from, as Parquet files that whatever reads Parquet can read."""

from __future__ import annotations

from vqaudio.tokens.index import Tokens, open_tokens
from vqaudio.tokens.parquet import SUFFIX, made_by, read, write
from vqaudio.tokens.rows import Origin, Row

__all__ = ["SUFFIX", "Origin", "Row", "Tokens", "made_by", "open_tokens", "read", "write"]
