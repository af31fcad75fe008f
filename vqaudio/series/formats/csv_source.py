"""The bytes of a CSV file, gone through by Arrow block by block, as often as need be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from vqaudio.errors import SeriesError
from vqaudio.series.formats import csv_dialect
from vqaudio.series.formats.arrow import first_line
from vqaudio.series.formats.window import Window

BOM = b"\xef\xbb\xbf"
BLOCK_BYTES, MOST_BLOCK_BYTES, LONGER = 1 << 19, 1 << 30, 8
"""What is parsed at once; rows that are longer take blocks so many times as long."""
LONG_ROW = "straddling object"
"""What Arrow says of them."""
SAMPLE_BYTES, MOST_SAMPLED = 1 << 20, 1 << 26
"""What is looked at first; more where it holds no two rows, up to so much."""


@dataclass(frozen=True)
class Survey:
    """What can be told of a file without parsing it.

    Args:
        start: where its first line with something in it begins.
        n_blank: blank lines before that.
        has_bom: whether it begins with a byte order mark.
        has_quotes: whether it holds any.
        has_blank_lines: whether blank lines may follow.
        ends: whether its last line has a line end.
    """

    start: int
    n_blank: int
    has_bom: bool
    has_quotes: bool
    has_blank_lines: bool
    ends: bool


class CsvSource:
    """A CSV file whose delimiter is known.

    Args:
        file: an open one, which can seek.
        name: of it, for errors.
        delimiter: a character; None for the likeliest of comma, semicolon, tab and bar.

    Raises:
        SeriesError: an empty file.
    """

    def __init__(self, file: IO[bytes], name: str, delimiter: str | None):
        self._file, self.name, self._lock = file, name, threading.Lock()
        self._block_bytes = BLOCK_BYTES
        self.survey = self._surveyed()
        sample = self._sample(delimiter)
        self.delimiter = delimiter or csv_dialect.delimiter_of(sample)
        self.newline = csv_dialect.line_end_of(sample)
        self.quoted = csv_dialect.quoted_cells(sample, self.delimiter, n_rows=2)
        self.names = [f"f{number}" for number in range(len(self.quoted[0]))]

    def window(self) -> Window:
        """The file from its first line with something in it on."""
        return Window(self._file, self.survey.start, self._lock)

    def _surveyed(self) -> Survey:
        whole = Window(self._file, 0, self._lock)
        start, n_blank, has_bom = 0, 0, False
        has_quotes, has_blank, tail = False, False, b""
        while block := whole.read(BLOCK_BYTES):
            if not tail:
                if start == 0 and block.startswith(BOM):
                    has_bom, start, block = True, len(BOM), block[len(BOM) :]
                text = block.lstrip(b"\r\n")
                n_blank += len(block[: len(block) - len(text)].splitlines())
                start, block = start + len(block) - len(text), text
            joint = tail + block
            has_quotes = has_quotes or b'"' in block
            has_blank = has_blank or b"\n\n" in joint
            if b"\r" in joint:
                has_blank = has_blank or b"\n\r\n" in joint or b"\r\r" in joint
            tail = joint[-2:]
        if not tail:
            raise SeriesError(f"{self.name}: is empty; expected rows of cells")
        return Survey(start, n_blank, has_bom, has_quotes, has_blank, tail.endswith((b"\n", b"\r")))

    def _sample(self, delimiter: str | None) -> bytes:
        """The beginning of the file: two rows at least."""
        window, sample = self.window(), b""
        while block := window.read(max(SAMPLE_BYTES, len(sample))):
            sample += block
            found = csv_dialect.quoted_cells(sample, delimiter or csv_dialect.delimiter_of(sample), n_rows=3)
            if len(found) > 2 or len(sample) > MOST_SAMPLED:
                break
        return sample

    def written(self, *, with_blank: bool, columns: list[int] | None = None) -> Iterator[Any]:
        """All cells of all lines as they are written, in record batches.

        Args:
            with_blank: whether blank lines are rows of empty cells, or are passed over.
            columns: those that are looked at; None for all.

        Raises:
            SeriesError: lines of unequal length, quotes that are not closed, another encoding.
        """
        as_text = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(self.names, pa.string()),
            include_columns=None if columns is None else [self.names[number] for number in columns],
        )
        return self._parsed(as_text, with_blank, n_skipped=0)

    def typed(self, types: Mapping[int, Any], *, point: str, with_blank: bool, n_skipped: int) -> Iterator[Any]:
        """Some columns, converted to types, without the first lines."""
        conversion = arrow_csv.ConvertOptions(
            column_types={self.names[number]: kind for number, kind in types.items()},
            include_columns=[self.names[number] for number in types],
            decimal_point=point,
        )
        return self._parsed(conversion, with_blank, n_skipped=n_skipped)

    def _parsed(self, conversion: Any, with_blank: bool, *, n_skipped: int) -> Iterator[Any]:
        n_given, is_whole = 0, False
        while not is_whole:
            n_again = n_given
            try:
                with self._opened(conversion, with_blank, n_skipped=n_skipped, on_uneven=None) as reader:
                    for batch in reader:
                        rest = batch.slice(min(n_again, batch.num_rows))
                        n_again -= batch.num_rows - rest.num_rows
                        n_given += rest.num_rows
                        if rest.num_rows:
                            yield rest
                is_whole = True
            except pa.ArrowException as error:
                if LONG_ROW not in str(error) or self._block_bytes >= MOST_BLOCK_BYTES:
                    self.refuse_faults()
                    said = self._uneven_row() or first_line(error)
                    raise SeriesError(f"{self.name}: cannot be read as CSV ({said})") from None
                self._block_bytes = min(self._block_bytes * LONGER, MOST_BLOCK_BYTES)

    def _opened(
        self, conversion: Any, with_blank: bool, *, n_skipped: int, on_uneven: Callable[[Any], str] | None
    ) -> Any:
        return arrow_csv.open_csv(
            pa.PythonFile(self.window(), mode="r"),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=self._block_bytes,
                column_names=self.names,
                skip_rows_after_names=n_skipped,
            ),
            arrow_csv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=not with_blank,
                invalid_row_handler=on_uneven,
            ),
            conversion,
        )

    def _uneven_row(self) -> str:
        """What is to be said of the first row that has more cells than the first, or fewer; "" if there is none."""
        said: list[str] = []

        def refuse(row: Any) -> str:  # which Arrow can ask only of text in UTF-8
            said.append(
                f"row {row.number} holds {row.actual_columns} cells, expected {row.expected_columns} as in the first; "
                f"is its delimiter {self.delimiter!r}? (--delimiter)"
            )
            return "error"

        as_text = arrow_csv.ConvertOptions(column_types=dict.fromkeys(self.names, pa.string()))
        with suppress(pa.ArrowException):
            for _ in self._opened(as_text, len(self.names) == 1, n_skipped=0, on_uneven=refuse):
                pass
        return said[0] if said else ""

    def refuse_faults(self) -> None:
        """Look for what no CSV may hold, line by line.

        Raises:
            SeriesError: text that is not UTF-8, or a quote that is never closed.
        """
        if line := csv_dialect.undecodable_line(csv_dialect.blocks_of_lines(self.window())):
            line += self.survey.n_blank
            raise SeriesError(f"{self.name}: line {line} is not text in UTF-8; save it as CSV in UTF-8")
        if line := csv_dialect.unclosed_quote(csv_dialect.blocks_of_lines(self.window()), self.delimiter):
            line += self.survey.n_blank
            raise SeriesError(
                f'{self.name}: the quote (") that opens a cell in line {line} is never closed: close it, or double a '
                "quote that is part of a text"
            )
