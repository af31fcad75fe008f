"""Wrote ``table-4.vq``, of format version 4, and ``table-4.csv``, to which that decodes; run again for new versions.

``table.vq`` and ``table.csv`` are of the same table in version 2, which is not written any more.

``python tests/golden/make_table.py``
"""

from __future__ import annotations

import io
import math
import random
from pathlib import Path

from vqaudio.series import MaxError, StoredTable, compress, read_table, write_table, writer

HERE = Path(__file__).parent


def main() -> None:
    drawn = random.Random(4)
    lines = ["when,one,two,three,n,name"]
    for row in range(400):
        one = math.sin(row / 9) + drawn.gauss(0, 0.02)
        two = one + math.cos(row / 31)
        three = drawn.gauss(0, 1) if row % 50 else 1e300
        cells = "" if 40 < row < 60 else f"{one:.3f}"
        label = "even" if row % 2 == 0 else '"odd, or so"'
        lines.append(
            f"2024-02-{1 + row // 24:02} {row % 24:02}:00:00,{cells},{two:.3f},{three!r},{row**2 % 97},{label}"
        )
    table = read_table(io.BytesIO("\n".join(lines).encode()), "table.csv", suffix=".csv")
    writer.chunk_rows_for = lambda n_columns: 250
    data, file = compress(table, MaxError(0.02)), io.BytesIO()
    write_table(StoredTable(data).table(), file, name="table-4.csv", suffix=".csv")
    (HERE / "table-4.vq").write_bytes(data)
    (HERE / "table-4.csv").write_bytes(file.getvalue())


if __name__ == "__main__":
    main()
