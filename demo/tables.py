"""What visitors bring as tables, small enough, or one sentence that says why not; and tables to try."""

from __future__ import annotations

import io
import shutil
import zipfile
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np

from demo import examples as recordings_to_try
from demo import outputs
from vqaudio.codec.opened import open_vq
from vqaudio.errors import SeriesError, VqaudioError
from vqaudio.files import open_input
from vqaudio.series import SUFFIXES, StoredTable, Table, read_table, suffix_of, write_table

MAX_CELLS = 400_000
MAX_BYTES = 100 * 2**20
"""Unpacked: a small file can hold much."""
MADE = "A greenhouse for two weeks, made by rule"
KNOWN = {"Transformer station (ETTh1)": "ETTh1.csv", "Electrocardiogram (MIT-BIH 208)": "ecg208.csv"}
"""Tables that are offered where they are, by what to call them."""


def read(path: str | None) -> Table:
    """A visitor's table, whole.

    Raises:
        VqaudioError: none was given. SeriesError: it cannot be read, or is larger than is taken here.
    """
    if path is None:
        raise VqaudioError("There is no table yet: drop one, or pick an example")
    name, suffix = Path(path).name, suffix_of(Path(path))  # never the path: messages are shown to visitors
    if not suffix:
        raise SeriesError(f"{name}: is no table by its name: expected one of {', '.join(SUFFIXES)}")
    with open_input(path) as file:
        _check_unpacked(file, name, suffix)
        table = read_table(file, name, suffix=suffix)
    check_cells(table.n_rows, len(table.columns), name=name)
    return table


def read_stored(path: str | None) -> StoredTable:
    """A visitor's ``.vq`` file that holds a table.

    Raises:
        VqaudioError: none was given, one that holds sound, or a table that is larger than is taken here.
    """
    if path is None:
        raise VqaudioError("There is no file yet: drop a .vq file that holds a table")
    name = Path(path).name
    with open_vq(path, name=name) as stored:
        if not isinstance(stored, StoredTable):
            raise VqaudioError(f"{name}: holds no table; bring a .vq file with sound at the top of the page")
    stored = StoredTable(Path(path).read_bytes(), name)
    check_cells(stored.n_rows, len(stored.columns), name=name)
    return stored


def check_cells(n_rows: int, n_columns: int, *, name: str) -> None:
    """Do nothing where a table is one that the demo takes.

    Raises:
        SeriesError: it is too large.
    """
    if n_rows * n_columns > MAX_CELLS:
        raise SeriesError(
            f"{name}: has {n_rows:,} rows of {n_columns:,} columns, and this page takes at most {MAX_CELLS:,} cells: "
            "cut it first, or run python -m vqaudio.compress"
        )


def _check_unpacked(file: IO[bytes], name: str, suffix: str) -> None:
    """Refuse what is too large before it is unpacked; what cannot be read at all is left to who reads it.

    Raises:
        SeriesError: too large.
    """
    n_bytes = 0
    if suffix == ".npz" and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            n_bytes = sum(member.file_size for member in archive.infolist())
    elif suffix == ".parquet":
        import pyarrow as pa  # late: Arrow takes a while to import
        import pyarrow.parquet as pq

        try:
            about = pq.read_metadata(file)
        except (pa.ArrowException, OSError):
            pass
        else:
            n_bytes = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
            check_cells(about.num_rows, about.num_columns, name=name)
    file.seek(0)
    if n_bytes > MAX_BYTES:
        raise SeriesError(
            f"{name}: holds {n_bytes / 2**20:.0f} MiB once unpacked, and this page takes at most "
            f"{MAX_BYTES // 2**20}: cut it first"
        )


def write(table: Table, path: Path, *, suffix: str) -> str:
    """Write a table; returns the path as components take it."""
    file = io.BytesIO()
    write_table(table, file, name=path.name, suffix=suffix)
    path.write_bytes(file.getvalue())
    return str(path)


# ----------------------------------------------------------------------------------------------------- tables to try


@cache
def examples() -> tuple[str, ...]:
    """What is offered: a table of our own making, and known ones where they are."""
    return (MADE, *(title for title in KNOWN if _known(title).is_file()))


def example(index: int) -> str:
    """The path of an example's copy, or of a new made-up table."""
    title, folder = examples()[index], outputs.new_folder()
    if title == MADE:
        path = folder / "greenhouse.csv"
        path.write_text(made_up(), encoding="utf-8")
        return str(path)
    return str(shutil.copy(_known(title), folder))


def _known(title: str) -> Path:
    return recordings_to_try.data_folder() / "timeseries" / KNOWN[title]


def made_up() -> str:
    """A greenhouse every ten minutes for two weeks as CSV: four curves that belong together, and a day of gaps."""
    generator = np.random.default_rng(14)
    stamps = np.datetime64("2026-03-01T00:00") + 10 * np.arange(2016)
    day = 2 * np.pi * np.arange(len(stamps)) / 144
    clouds = np.convolve(generator.normal(size=len(day) + 35), np.hanning(36) / 5, "valid")
    light = np.clip(-np.cos(day) + 0.15, 0, None) * np.clip(600 + 160 * clouds, 60, None)
    warmth = np.convolve(np.pad(light, (60, 0), "edge"), np.exp(-np.arange(61) / 20) / 20, "valid")
    inside = 16 + warmth / 45 + 0.08 * np.cumsum(generator.normal(size=len(day))) / 3
    humidity = np.clip(92 - 1.9 * (inside - 14) + 1.2 * clouds, 20, 99)
    visits = generator.poisson(0.4 * (light > 50)).cumsum()
    lines = ["time,light (W/m2),temperature (°C),humidity (%),door openings"]
    for row, stamp in enumerate(np.datetime_as_string(stamps).tolist()):
        wet = "" if 1000 <= row < 1100 else f"{humidity[row]:.1f}"
        lines.append(f"{stamp.replace('T', ' ')}:00,{light[row]:.1f},{inside[row]:.2f},{wet},{visits[row]}")
    return "\n".join(lines) + "\n"
