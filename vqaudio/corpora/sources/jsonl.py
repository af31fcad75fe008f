"""JSON lines as a list of recordings: an object for each, as NeMo has them."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from vqaudio.corpora import storage
from vqaudio.corpora.columns import Columns
from vqaudio.corpora.listing import FileListing, Listed
from vqaudio.corpora.utterance import Utterance
from vqaudio.errors import CorpusError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")
_LONGEST = 1 << 24  # bytes of a line


def json_lines(path: str) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Each line of a file, which may be compressed by gzip: what messages call it, and its object, or what is wrong.

    Raises:
        FileError: it cannot be read. CorpusError: its first line is no object, or a line has no end.
    """
    with storage.open_read(path) as file:
        lines = gzip.GzipFile(fileobj=file) if path.endswith(".gz") else file
        number = 0
        try:
            while line := lines.readline(_LONGEST):
                number += 1
                where = f"{path}: line {number}"
                if len(line) == _LONGEST:
                    raise CorpusError(f"{where} is longer than {_LONGEST >> 20} MiB, expected an object on each line")
                found, problem = _object(line)
                if found is None and line.isspace():
                    continue
                if found is None and number == 1:
                    raise CorpusError(f"{where} {problem}; expected an object on each line: jq -c '.[]' makes them")
                yield where, found if found is not None else f"{where} {problem}, expected an object; correct it"
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CorpusError(f"{path}: cannot be unpacked after line {number} ({error}); get a whole copy") from None


def _object(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """The object of a line, or why it has none."""
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON ({error})"
    if not isinstance(found, dict):
        return None, f"holds {type(found).__name__ if found is not None else 'null'}"
    return found, ""


class JsonLines(FileListing):
    """A file with an object on each line, whose keys are as columns of tables.

    Raises:
        FileError: it cannot be read. CorpusError: its first line is no object, or no key of that has a path.
    """

    kind, empty = "jsonl", "is empty, expected an object on each line"

    def rows(self) -> Iterator[Listed]:
        known: dict[tuple[str, ...], Columns | str] = {}
        for where, row in json_lines(self._path):
            if isinstance(row, str):
                yield Listed(Utterance(where, "", "", ""), row)
                continue
            names = tuple(row)
            if names not in known:
                known[names] = _columns(names, where, first=not known)
            columns = known[names]
            if isinstance(columns, str):
                yield Listed(Utterance(where, "", "", ""), columns)
            else:
                yield columns.listed(row, where)


def _columns(names: tuple[str, ...], where: str, *, first: bool) -> Columns | str:
    """What keys mean, or, in other objects than the first, why none has a path."""
    try:
        return Columns(names, where)
    except CorpusError as error:
        if first:
            raise
        return str(error)
