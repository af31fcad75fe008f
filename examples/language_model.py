"""Blocks of tokens for a language model over audio, from what ``python -m vqaudio.tokenize`` writes.

    python examples/language_model.py TOKENS [CONTEXT]

Reads the Parquet shards of a folder one after the other, however many there are, and prints what there is and the first
block. A code of codebook q becomes the token ``first[q] + code``; frames come in order, and within a frame codebooks
(the flattening of Copet et al., "Simple and Controllable Music Generation", 2023, section 2.2). Utterances are shuffled
within a buffer and follow each other, with token 0 before each, in blocks of CONTEXT tokens. Needs ``pip install
datasets``.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from datasets import load_dataset
from pyarrow import parquet

BEGIN = 0  # the token before each utterance


def vocabulary(folder: Path) -> np.ndarray:
    """Where each codebook's tokens begin, and then how many tokens there are in all: ``(codebooks + 1,)``."""
    about = json.loads(parquet.read_schema(next(folder.glob("*.parquet"))).metadata[b"vqaudio"])
    return np.cumsum([1, *(alphabet for alphabet, _ in about["streams"])])


def flattened(codes: list[list[int]], first: np.ndarray) -> np.ndarray:
    """One utterance's codes, ``[codebooks][frames]``, as one sequence of tokens, ``(1 + codebooks * frames,)``.

    Codebooks of other strides than 1 have lists of other lengths, for which this is not made.
    """
    codebooks = np.array(codes, np.int32)
    tokens = codebooks + first[: len(codebooks), None]
    return np.concatenate([[BEGIN], tokens.T.ravel()])


def blocks(folder: Path, context: int, split: str = "train", seed: int = 0) -> Iterator[np.ndarray]:
    """Blocks ``(context,)`` int64; shards are read as these are asked for, so a corpus need not fit into memory."""
    first = vocabulary(folder)
    rows = load_dataset("parquet", data_files=f"{folder}/*.parquet", split="train", streaming=True)
    rows = rows.select_columns(["codes", "split"]).filter(lambda row: row["split"] == split)
    left = np.empty(0, np.int64)
    for row in rows.shuffle(seed=seed, buffer_size=1000):
        left = np.concatenate([left, flattened(row["codes"], first)])
        while len(left) >= context:
            yield left[:context]
            left = left[context:]


if __name__ == "__main__":
    tokens, context = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2048
    print(f"a vocabulary of {vocabulary(tokens)[-1]} tokens")
    print(next(blocks(tokens, context), "not enough for a block"))
