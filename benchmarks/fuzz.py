"""``python -m benchmarks.fuzz``: mutated files of every kind that is read, and what became of them.

Input number N of a kind is the same on every machine and in every run with the same seed. Each kind runs in a process
of its own. Failures are exceptions other than VqaudioError, ends of the process, more than 5 s of processor time or
1 GB of memory, and whatever is read without a word and is not what was written; such inputs are saved with the reason.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.fuzzing.subjects import DAMAGED, INTACT, LONG, kinds
from benchmarks.fuzzing.worker import REFUSED, Found, made, run
from vqaudio.cli import command

OUTCOMES = (INTACT, DAMAGED, REFUSED, LONG)
HEAD = f"| kind | inputs | {' | '.join(OUTCOMES)} | failures | slowest | memory | inputs/s |\n|---|{'---:|' * 9}"


def arguments() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.fuzz",
        description="Read mutated files of every kind; tell of those that are neither read nor refused as they should.",
    )
    parser.add_argument("--kinds", default=",".join(kinds()), metavar="KIND,...", help="default: %(default)s")
    parser.add_argument("--inputs", type=int, default=1000, metavar="N", help="of each kind (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/fuzz"),
        metavar="DIR",
        help="for inputs that fail (default: %(default)s)",
    )
    return parser


def keep(folder: Path, kind: str, seed: int, failures: list[tuple[int, str]]) -> None:
    """Write the inputs that failed, each with its reason."""
    for index, reason in failures:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kind.strip('.')}-{seed}-{index}"
        path.with_suffix(".bin").write_bytes(made(kind, seed, index))
        path.with_suffix(".txt").write_text(reason, encoding="utf-8")
        print(f"\n{path}.bin: {reason.rstrip()}\n", flush=True)


def row(kind: str, found: Found, seconds: float) -> str:
    """A line of the table."""
    count = sum(found.outcomes.values()) + len(found.failures)
    outcomes = " | ".join(f"{found.outcomes[name]}" for name in OUTCOMES)
    slowest = f"{found.slowest[0]:.2f} s | {found.peak / 1e6:.0f} MB"
    return f"| {kind} | {count} | {outcomes} | {len(found.failures)} | {slowest} | {count / seconds:.0f} |"


@command
def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    parser = arguments()
    options = parser.parse_args(argv)
    chosen = options.kinds.split(",")
    if unknown := set(chosen) - set(kinds()):
        parser.error(f"--kinds {','.join(sorted(unknown))}: expected some of {', '.join(kinds())}")
    failed = False
    print(HEAD, flush=True)
    for kind in chosen:
        started, found = time.monotonic(), Found()
        for part in run(kind, options.seed, options.first, options.first + options.inputs):
            found.add(part)
            keep(options.out, kind, options.seed, part.failures)
        print(row(kind, found, time.monotonic() - started), flush=True)
        failed = failed or bool(found.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
