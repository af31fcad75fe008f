"""``python -m benchmarks.paper --write``: what 100,000 hours cost, reckoned from what was measured on far fewer.

The measured figures are those of ``benchmarks/scale.figures.json``, into which the reckoning is written as the sets
``paper`` and ``training``: each result with the arithmetic that gave it, for the tables of ``docs/scale.md``. What is
assumed and was not measured stands in :class:`Assumed`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqaudio.cli import command
from vqaudio.files import atomic_write

FIGURES = Path(__file__).with_name("scale.figures.json")
Line = tuple[str, str, str]
"""What it is, the result, and the arithmetic."""


@dataclass(frozen=True)
class Assumed:
    """What the reckoning takes for granted: not measured here."""

    hours: int = 100_000
    cores: int = 1_000
    part: int = 128  # utterances
    keys_a_request: int = 1_000  # that S3 lists at once
    seconds_a_request: float = 0.2
    frame_rate: int = 50  # of speech-16k-v4, Hz
    sample_rate: int = 16_000  # Hz
    codebooks: int = 9
    crop_seconds: float = 2.0
    batch: int = 256  # crops a step, of all processes together


@dataclass(frozen=True)
class Measured:
    """What was measured, of the corpus that stands for all."""

    rate: float  # times real time, of a core: over the processor time of all processes
    hours: float
    utterances: int
    sound_mb: float  # an hour, FLAC
    tokens_mb: float  # an hour, Parquet
    driver_mb: float
    worker_mb: float
    listing_seconds: float  # a million utterances
    listing_mb: float  # a million utterances, beyond what an empty process has
    resume_ms: float  # a shard that is there


def measured(sets: dict[str, Any]) -> Measured:
    """The figures that the reckoning begins with."""
    (run,) = [row["values"] for row in sets["hours"]["rows"] if row["name"] == "all 9 codebooks"]
    few, many = (row["values"] for row in sets["listing"]["rows"])
    return Measured(
        rate=run["core_rate"],
        hours=run["hours"],
        utterances=run["utterances"],
        sound_mb=run["sound_mb"],
        tokens_mb=run["tokens_mb"],
        driver_mb=run["driver_mb"],
        worker_mb=max(row["values"]["worker_mb"] for row in sets["hours"]["rows"]),
        listing_seconds=many["seconds"],
        listing_mb=many["mb"] - few["mb"],
        resume_ms=run["resume_ms"],
    )


def coding(was: Measured, given: Assumed) -> list[Line]:
    """Sound to tokens."""
    hours, cores = given.hours, given.cores
    core_hours = hours / was.rate
    utterances = hours / was.hours * was.utterances
    parts = utterances / given.part
    per_shard = hours * was.tokens_mb / parts
    wall = core_hours / cores
    gbits = hours * was.sound_mb * 8e-3 / (wall * 3600)
    listing = utterances / 1e6 * was.listing_seconds
    requests = parts / given.keys_a_request
    return [
        ("core-hours", f"{core_hours:,.0f}", f"{hours:,} h / {was.rate:.0f} x real time of a core"),
        (f"hours on {cores:,} cores", f"{wall:.2f}", f"{core_hours:,.0f} core-hours / {cores:,}"),
        ("utterances", f"{utterances / 1e6:.1f} million", f"{hours:,} h x {was.utterances / was.hours:.0f} an hour"),
        (
            "parts, each a task, a tar in and a shard out",
            f"{parts:,.0f}",
            f"{utterances / 1e6:.1f} million / {given.part} utterances",
        ),
        (
            "seconds of a core for a part",
            f"{core_hours * 3600 / parts:.1f}",
            f"{core_hours:,.0f} x 3,600 s / {parts:,.0f}",
        ),
        (
            f"parts a second on {cores:,} cores",
            f"{parts / wall / 3600:.0f}",
            f"{parts:,.0f} / ({wall:.2f} x 3,600 s)",
        ),
        ("sound that is read, FLAC", f"{hours * was.sound_mb / 1e6:.1f} TB", f"{hours:,} h x {was.sound_mb:.1f} MB"),
        (
            f"of that at a time, on {cores:,} cores",
            f"{gbits:.1f} Gbit/s",
            f"{hours * was.sound_mb / 1e6:.1f} TB x 8 / ({wall:.2f} x 3,600 s)",
        ),
        ("shards", f"{hours * was.tokens_mb / 1e3:,.0f} GB", f"{hours:,} h x {was.tokens_mb:.3f} MB"),
        ("a shard", f"{per_shard:.2f} MB", f"{hours * was.tokens_mb / 1e3:,.0f} GB / {parts:,.0f}"),
        (
            "memory of a worker",
            f"{was.worker_mb:.0f} MB",
            "the most of all runs; it does not grow with the corpus",
        ),
        (
            "memory of the driver",
            f"{(was.driver_mb + utterances / 1e6 * was.listing_mb) / 1e3:.2f} GB",
            f"{was.driver_mb:.0f} MB + {utterances / 1e6:.1f} million x {was.listing_mb:.1f} B",
        ),
        (
            "listing a manifest of all",
            f"{listing / 60:.0f} min",
            f"{utterances / 1e6:.1f} million x {was.listing_seconds:.0f} s a million",
        ),
        (
            "listing OUT in an object store",
            f"{requests * given.seconds_a_request:.0f} s",
            f"{parts:,.0f} / {given.keys_a_request:,} keys x {given.seconds_a_request} s (assumed)",
        ),
        (
            "looking at all shards again, where _manifest.json was lost",
            f"{parts * was.resume_ms / 6e4:.0f} min",
            f"{parts:,.0f} x {was.resume_ms:.1f} ms",
        ),
    ]


def training(given: Assumed) -> list[Line]:
    """What the sound and its tokens are to those who train on them."""
    hours = given.hours
    tokens = hours * 3600 * given.frame_rate * given.codebooks
    samples = hours * 3600 * given.sample_rate
    step = given.batch * given.crop_seconds
    return [
        (
            "tokens, all 9 codebooks",
            f"{tokens / 1e9:,.0f} billion",
            f"{hours:,} h x 3,600 s x {given.frame_rate} x {given.codebooks}",
        ),
        ("tokens, the first 3", f"{tokens / 3e9:,.0f} billion", f"{hours:,} h x 3,600 s x {given.frame_rate} x 3"),
        ("cache of tokens, int16", f"{2 * tokens / 1e9:,.0f} GB", f"{tokens / 1e9:,.0f} billion x 2 B"),
        (
            "cache of sound, int16",
            f"{2 * samples / 1e12:.1f} TB",
            f"{hours:,} h x 3,600 s x {given.sample_rate:,} x 2 B",
        ),
        (
            "steps of a codec for one pass",
            f"{hours * 3600 / step:,.0f}",
            f"{hours:,} h x 3,600 s / ({given.batch} crops of {given.crop_seconds:g} s)",
        ),
    ]


def reckoned(sets: dict[str, Any], given: Assumed | None = None) -> dict[str, Any]:
    """The sets of figures that are reckoned, from those that were measured."""
    given = given or Assumed()

    def set_of(title: str, lines: list[Line]) -> dict[str, Any]:
        return {
            "commands": ["python -m benchmarks.paper --write"],
            "title": title,
            "columns": {"result": {"title": "result"}, "how": {"title": "arithmetic"}},
            "rows": [{"name": name, "values": {"result": result, "how": how}} for name, result, how in lines],
        }

    return {
        "paper": set_of(f"{given.hours:,} hours", coding(measured(sets), given)),
        "training": set_of(f"{given.hours:,} hours", training(given)),
    }


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.paper", description="Reckon what a hundred thousand hours cost.")
    parser.add_argument("--write", action="store_true", help="into the file of figures; else print it")
    options = parser.parse_args(argv)
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    made = reckoned(figures["sets"])
    if options.write:
        figures["sets"] |= made
        with atomic_write(FIGURES) as file:
            file.write((json.dumps(figures, indent=1, ensure_ascii=False) + "\n").encode())
    else:
        for one in made.values():
            for row in one["rows"]:
                print(f"{row['name']}: {row['values']['result']} = {row['values']['how']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
