"""The shape of the package in figures: modules, rooms, lengths, and imports between rooms.

``python benchmarks/structure.py [CHECKOUT ...]`` prints a row of a table for this checkout, or for each that is named.
A room is a module or a package right below ``vqaudio``; an arrow is a pair of rooms of which the first imports from the
second, however often and however late. ``--tests`` counts this checkout's tests as pytest collects them.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Shape:
    """Counts of one checkout; lengths are in lines."""

    modules: int
    rooms: int
    front_door: int
    arrows: int
    median_length: float
    longest: int
    longest_name: str


def imported(tree: ast.Module) -> set[str]:
    """The dotted names that a module imports, wherever in it that stands."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str) -> str:
    """What stands right below ``vqaudio`` in a dotted name."""
    return [*module.split("."), "__init__"][1]


def shape_of(checkout: Path) -> Shape:
    """Read all modules of the package in a checkout."""
    texts = {
        ".".join(path.relative_to(checkout).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
        for path in sorted((checkout / "vqaudio").rglob("*.py"))
    }
    arrows = set()
    for module, text in texts.items():
        for name in imported(ast.parse(text)):
            if name.split(".")[0] == "vqaudio":
                other = name if name in texts else name.rpartition(".")[0]
                arrows.add((room_of(module), room_of(other)))
    lengths = {module: len(text.splitlines()) for module, text in texts.items()}
    longest = max(lengths, key=lengths.__getitem__)
    return Shape(
        modules=len(texts),
        rooms=len({room_of(module) for module in texts}),
        front_door=len(list((checkout / "vqaudio").glob("*.py"))),
        arrows=sum(first != second for first, second in arrows),
        median_length=median(lengths.values()),
        longest=lengths[longest],
        longest_name=longest,
    )


def tests_in(checkout: Path, *options: str) -> int:
    """How many tests pytest collects."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", *options]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
    return sum("::" in line for line in done.stdout.splitlines())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", type=Path, default=[ROOT], help="folders with a folder vqaudio in them")
    parser.add_argument("--tests", action="store_true", help="also count the tests of this checkout")
    options = parser.parse_args()
    print("| | modules | modules right in `vqaudio/` | rooms | arrows | median length | longest | |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    for checkout in options.checkouts:
        one = shape_of(checkout)
        print(
            f"| {checkout.resolve().name} | {one.modules} | {one.front_door} | {one.rooms} | {one.arrows} "
            f"| {one.median_length:g} | {one.longest} | `{one.longest_name}` |"
        )
    if options.tests:
        print(f"tests: {tests_in(ROOT)} quick, {tests_in(ROOT, '-m', 'slow')} slow")


if __name__ == "__main__":
    main()
