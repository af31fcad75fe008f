"""Tables in files, through ``.vq`` and back."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vqaudio.compress import main as compress
from vqaudio.decompress import main as decompress
from vqaudio.series import MaxError, StoredTable, Table, read_table, write_table
from vqaudio.series import compress as compress_table


def as_parquet(array: pa.Array, nullable: bool = True) -> bytes:
    file = io.BytesIO()
    field = pa.field("x", array.type, nullable, {"unit": "mV"})
    pq.write_table(pa.Table.from_arrays([array], schema=pa.schema([field], metadata={"rig": "left"})), file)
    return file.getvalue()


def through_memory(data: bytes, suffix: str = ".parquet", to: str = "", max_error: MaxError | None = None) -> bytes:
    table = read_table(io.BytesIO(data), f"in{suffix}", suffix=suffix)
    coded, file = compress_table(table, max_error, lossless=max_error is None), io.BytesIO()
    write_table(StoredTable(coded).table(), file, name=f"out{to or suffix}", suffix=to or suffix)
    return file.getvalue()


def decimals(*texts: str | None) -> list[Decimal | None]:
    return [None if text is None else Decimal(text) for text in texts]


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def read_csv(text: str | bytes, *, delimiter: str | None = None, decimal: str | None = None) -> Table:
    data = text.encode() if isinstance(text, str) else text
    return read_table(io.BytesIO(data), "in.csv", suffix=".csv", delimiter=delimiter, decimal=decimal)


def through_csv(table: Table) -> bytes:
    file = io.BytesIO()
    write_table(StoredTable(compress_table(table, lossless=True)).table(), file, name="out.csv", suffix=".csv")
    return file.getvalue()


def through(name: str, *options: str, back: str = "") -> Path:
    """A file to ``.vq`` and back."""
    target = Path("back") / (back or name)
    target.parent.mkdir(exist_ok=True)
    assert compress([name, "file.vq", "--quiet", "--force", *options]) == 0
    assert decompress(["file.vq", str(target), "--quiet", "--force"]) == 0
    return target


def csv_through(text: str, *options: str) -> str:
    Path("in.csv").write_bytes(text.encode())
    return through("in.csv", *options).read_bytes().decode()
