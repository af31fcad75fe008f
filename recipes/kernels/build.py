"""Compiles the kernels of tables, all C files of ``vqaudio/series/kernels``, to one WebAssembly module.

    python -m recipes.kernels.build [--output FILE]

The compiler is that of the PyPI package ``ziglang`` in the version that pyproject.toml names: the same files give the
same bytes on every machine, which a test holds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "vqaudio" / "series" / "kernels"
MODULE = SOURCES / "series.wasm"
FLAGS = [
    *("-target", "wasm32-freestanding", "-std=c17", "-O3", "-msimd128", "-mbulk-memory", "-ffp-contract=off"),
    *("-Wall", "-Wextra", "-Werror", "-fno-sanitize=all"),
    *("-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--export=__heap_base"),
]


def build(output: Path) -> None:
    """Compile all kernels into one module.

    Raises:
        subprocess.CalledProcessError: the compiler refused one; it has said why.
    """
    names = sorted(path.name for path in SOURCES.glob("*.c"))
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *names, "-o", str(output.resolve())]
    subprocess.run(command, cwd=SOURCES, check=True)
    output.chmod(0o644)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=MODULE, help="The module's file.")
def main(output: Path) -> None:
    """Compile the kernels of tables."""
    build(output)
    click.echo(f"{output}: {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
