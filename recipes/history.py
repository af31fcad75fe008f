"""Takes a file out of the repository's history, such as a model that is not shipped any more but training begins at.

python -m recipes.history COMMIT PATH OUT
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from vqaudio.cli import command
from vqaudio.errors import FileError
from vqaudio.files import atomic_write


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="recipes.history", description="Take a file out of the history.")
    parser.add_argument("commit")
    parser.add_argument("path", help="in the repository")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(argv)
    name = f"{options.commit}:{options.path}"
    found = subprocess.run(["git", "show", name], cwd=Path(__file__).parent, capture_output=True, check=False)
    if found.returncode:
        raise FileError(f"{name}: is not in the history here; clone the whole repository")
    with atomic_write(options.out) as file:
        file.write(found.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
