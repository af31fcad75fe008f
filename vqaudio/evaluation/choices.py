"""What an evaluation can be asked for, by name. No library is needed to know it, so that ``--help`` has it at once."""

from __future__ import annotations

from typing import Literal, get_args

Split = Literal["valid", "train", "test", "all"]
SPLITS = get_args(Split)
"""Which recordings of a folder with a manifest."""
PEER_NAMES = ("opus", "opus-nolace", "codec2")
"""Other codecs: see :mod:`vqaudio.evaluation.peers`."""
TABLE_PEER_NAMES = ("pcodec", "sz3", "zfp", "fpzip", "blosc2", "parquet", "zstd", "gzip")
"""Other compressors of tables: see :mod:`vqaudio.evaluation.table_peers`."""
JUDGE_NAMES = ("dnsmos", "plcmos", "distillmos", "speaker", "words", "visqol")
"""See :mod:`vqaudio.evaluation.judges`."""
