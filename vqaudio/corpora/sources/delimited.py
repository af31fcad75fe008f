"""CSV and its kin as a list of recordings: a header, and a row for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from vqaudio.corpora import storage
from vqaudio.corpora.columns import Columns
from vqaudio.corpora.listing import FileListing, Listed
from vqaudio.errors import CorpusError

SUFFIXES = (".csv", ".tsv")
_DELIMITERS = ",;\t|"
_MOST_HEADER = 1 << 16  # characters


class Delimited(FileListing):
    """A CSV or TSV file in UTF-8 whose first row names its columns.

    In CSV the delimiter is the one of comma, semicolon, tab and bar that the header has most of. In TSV it is the tab,
    and quotes are characters like others.

    Raises:
        FileError: it cannot be read. CorpusError: it is no such file, or none of its columns has paths.
    """

    kind, empty = "delimited", "has no rows, expected one for each recording under those names"

    def rows(self) -> Iterator[Listed]:
        with storage.open_read(self._path) as file:
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            try:
                yield from self._rows(text)
            except (UnicodeDecodeError, csv.Error) as error:
                raise CorpusError(f"{self._path}: is no CSV file in UTF-8 ({error}); save it as one") from None

    def _rows(self, text: io.TextIOWrapper) -> Iterator[Listed]:
        header = text.readline(_MOST_HEADER)
        if self._path.lower().endswith(".tsv"):
            cells = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
            names = header.rstrip("\r\n").split("\t")
        else:
            delimiter = max(_DELIMITERS, key=header.count)
            cells = csv.reader(text, delimiter=delimiter)
            names = next(csv.reader([header], delimiter=delimiter), [])
        columns = Columns(names, self._path)
        for line, row in enumerate(cells, start=2):
            if not row:
                continue
            where = f"{self._path}: row {line}"
            listed = columns.listed(dict(zip(names, row, strict=False)), where)
            if len(row) != len(names) and not listed.problem:
                said = f"{where} has {len(row)} cells, expected {len(names)}, as many as the header names; correct it"
                listed = Listed(listed.utterance, said)
            yield listed
