"""How a CSV file is written: its delimiter, line ends, quotes and decimal points, from its bytes alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vqaudio.files import Readable

DELIMITERS = ",;\t|"
SAMPLE_BYTES, SAMPLE_LINES = 1 << 16, 100
BLOCK_BYTES, LONGEST_LINE = 1 << 20, 1 << 26
COMMA_NUMBER = r"^[+-]?([0-9]+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]+)?$"
"""Numbers whose decimal point is a comma, in the syntax of RE2."""
DECIMAL_COMMA = r"^[+-]?(|0+|0[0-9]+|[0-9]{4,}),|,([0-9]{0,2}|[0-9]{4,})([eE]|$)"
"""Those of them whose comma does not separate thousands."""

_QUOTED = re.compile(rb'"[^"]*+"')
_REST_OF_CELL = re.compile(rb'(?:[^"]++|"")*+("?)')
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIRST_LINE_END = re.compile(rb'(?:[^"\r\n]++|"[^"]*+")*+(\r\n|\n|\r)')


def delimiter_of(text: bytes) -> str:
    """The likeliest delimiter: the most frequent in the first line, of those that stand equally often in all."""
    lines = [line for line in _LINE_END.split(_QUOTED.sub(b"", text[:SAMPLE_BYTES])) if line]
    lines = (lines[:-1] if len(text) > SAMPLE_BYTES else lines)[:SAMPLE_LINES] or [b""]
    counts = {one: [line.count(one.encode()) for line in lines] for one in DELIMITERS}
    steady = [one for one in DELIMITERS if counts[one][0] and len(set(counts[one])) == 1]
    if ";" in steady and "," in steady and all(map(_holds_numbers, lines)):
        return ";"  # commas are decimal points
    return max(steady or DELIMITERS, key=lambda one: counts[one][0])


def _holds_numbers(line: bytes) -> bool:
    return all(re.match(COMMA_NUMBER, cell) for cell in line.decode("utf-8", "replace").split(";"))


def line_end_of(text: bytes) -> str:
    """What ends the first line."""
    found = _FIRST_LINE_END.match(text)
    return found[1].decode() if found else "\n"


def quoted_cells(text: bytes, delimiter: str, *, n_rows: int) -> list[list[bool]]:
    """Of each cell in the first rows, whether it is quoted."""
    mark = re.escape(delimiter.encode())
    cell = re.compile(rb'("(?:[^"]|"")*+")?[^' + mark + rb"\r\n]*+(" + mark + rb"|\r\n|\n|\r|\Z)")
    rows: list[list[bool]] = [[]]
    for found in cell.finditer(text):
        rows[-1].append(found[1] is not None)
        if found[2] != delimiter.encode():
            if len(rows) == n_rows or found.end() == len(text):
                break
            rows.append([])
    return rows


def blocks_of_lines(file: Readable) -> Iterator[bytes]:
    """What is left to read, in blocks of whole lines where lines are not too long."""
    rest = b""
    while block := file.read(BLOCK_BYTES):
        rest += block
        stop = rest.rfind(b"\n") + 1 or rest.rfind(b"\r") + 1 or (len(rest) if len(rest) > LONGEST_LINE else 0)
        if stop:
            yield rest[:stop]
            rest = rest[stop:]
    if rest:
        yield rest


def _n_lines(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def undecodable_line(blocks: Iterable[bytes]) -> int:
    """The number of the first line that is not UTF-8, or 0."""
    before = 0
    for block in blocks:
        try:
            block.decode()
        except UnicodeDecodeError as error:
            return before + _n_lines(block[: error.start]) + 1
        before += _n_lines(block)
    return 0


def unclosed_quote(blocks: Iterable[bytes], delimiter: str) -> int:
    """The number of the line in which a quoted cell begins that does not end, or 0."""
    mark = re.escape(delimiter.encode())
    cell = re.compile(rb"(?:\A|(?<=[" + mark + rb'\r\n]))"(?:[^"]++|"")*+("?)')
    before, opened = 0, 0
    for block in blocks:
        start = 0
        if opened:
            rest = _REST_OF_CELL.match(block)
            opened, start = (0, rest.end()) if rest and rest[1] else (opened, len(block))
        for found in cell.finditer(block, start):
            opened = 0 if found[1] else before + _n_lines(block[: found.start()]) + 1
        before += _n_lines(block)
    return opened


def is_number(text: str, decimal: str) -> bool:
    """Whether a cell is a number, so that no column is called so."""
    try:
        float(text.replace(",", ".", 1) if decimal == "," else text)
    except ValueError:
        return False
    return "_" not in text
