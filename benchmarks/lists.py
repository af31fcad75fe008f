"""``python benchmarks/lists.py``: how long lists of many recordings take to be read into parts, and in what memory.

Each kind of list is made, and read in a process of its own; no recording is looked at. Seconds are those of the
processor, memory is what Linux says.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from processes import memory

from vqaudio.cli.program import Command
from vqaudio.corpora import open_corpus

TEXT = "what is said in an utterance of ten seconds is about as long as this sentence, that is a hundred letters or so"


@click.command("benchmarks/lists.py", cls=Command, example="--rows 100000")
@click.option("--rows", type=click.IntRange(1), default=1_000_000, show_default=True, metavar="N")
@click.option("--read", type=click.Path(path_type=Path), hidden=True)
def main(rows: int, read: Path | None) -> int:
    """Print a table of the kinds of list."""
    if read is not None:
        print(json.dumps(facts_of(read)))
        return 0
    print("| list | MB | parts (s) | digest (s) | memory before, after (MB) |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, make in KINDS.items():
            path = Path(folder, name)
            make(path, rows)
            command = [sys.executable, __file__, "--read", str(path)]
            facts = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
            files = [path] if path.is_file() else list(path.iterdir())
            size = sum(file.stat().st_size for file in files) / 1e6
            seconds, memory = facts["seconds"], facts["memory"]
            print(f"| `{name}` | {size:.0f} | {seconds[0]:.1f} | {seconds[1]:.1f} | {memory[0]:.0f}, {memory[1]:.0f} |")
    return 0


def facts_of(path: Path) -> dict[str, Any]:
    """Seconds for all parts and for the digest, and the most memory before and after (MB)."""
    before = most_memory()
    start = time.process_time()
    corpus = open_corpus(str(path))
    for _ in corpus.parts():
        pass
    listed = time.process_time()
    assert corpus.digest
    done = time.process_time()
    return {"seconds": (listed - start, done - listed), "memory": (before, most_memory())}


def most_memory() -> float:
    """The most that this process has held (MB)."""
    return memory("self", "VmHWM") / 1e6


def rows_of(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names of utterances, and rows as NeMo has them."""
    for number in range(count):
        path = f"train/{number // 20000:03}/{number // 100:05}/{number:07}.flac"
        spoken = {"text": f"{number} {TEXT}", "speaker": f"s{number // 500:05}"}
        yield f"u{number:07}", {"audio_filepath": path, "duration": 10.0, **spoken}


def make_jsonl(path: Path, count: int) -> None:
    """NeMo's manifest."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for _, row in rows_of(count))


def make_csv(path: Path, count: int) -> None:
    """The same as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["audio_filepath", "duration", "text", "speaker"])
        table.writeheader()
        table.writerows(row for _, row in rows_of(count))


def make_parquet(path: Path, count: int) -> None:
    """The same as Parquet, in row groups of 100,000."""
    import pyarrow
    import pyarrow.parquet

    rows = rows_of(count)
    schema = pyarrow.Table.from_pylist([next(rows_of(1))[1]]).schema
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        while group := [row for (_, row), _ in zip(rows, range(100_000), strict=False)]:
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def make_kaldi(folder: Path, count: int) -> None:
    """A data directory with texts, speakers and lengths."""
    folder.mkdir()
    columns = {"wav.scp": "audio_filepath", "text": "text", "utt2spk": "speaker", "utt2dur": "duration"}
    for name, column in columns.items():
        with (folder / name).open("w", encoding="utf-8") as file:
            file.writelines(f"{utterance} {row[column]}\n" for utterance, row in rows_of(count))


def make_cuts(path: Path, count: int) -> None:
    """Lhotse's cuts, each of all of a recording, with a supervision."""
    with path.open("w", encoding="utf-8") as file:
        for name, row in rows_of(count):
            place = {"start": 0, "duration": row["duration"], "channel": 0}
            spoken = {"id": name, "recording_id": name, **place, "text": row["text"], "speaker": row["speaker"]}
            sources = [{"type": "file", "channels": [0], "source": row["audio_filepath"]}]
            known = {"sampling_rate": 16000, "num_samples": 160000, "duration": 10.0, "channel_ids": [0]}
            recording = {"id": name, "sources": sources, **known}
            cut = {"id": name, **place, "supervisions": [spoken], "recording": recording, "type": "MonoCut"}
            file.write(json.dumps(cut) + "\n")


KINDS: dict[str, Callable[[Path, int], None]] = {
    "x.jsonl": make_jsonl,
    "x.csv": make_csv,
    "x.parquet": make_parquet,
    "kaldi": make_kaldi,
    "cuts.jsonl": make_cuts,
}

if __name__ == "__main__":
    raise SystemExit(main())
