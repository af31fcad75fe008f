"""How a CSV file is written: its delimiter, line ends, quotes and decimal points, from its bytes alone."""

from __future__ import annotations

import re

DELIMITERS = ",;\t|"
SAMPLE_BYTES, SAMPLE_LINES = 1 << 16, 100
COMMA_NUMBER = r"^[+-]?([0-9]+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]+)?$"
"""Numbers whose decimal point is a comma, in the syntax of RE2."""
DECIMAL_COMMA = r"^[+-]?(|0+|0[0-9]+|[0-9]{4,}),|,([0-9]{0,2}|[0-9]{4,})([eE]|$)"
"""Those of them whose comma does not separate thousands."""

_QUOTED = re.compile(rb'"[^"]*+"')
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


def undecodable_line(text: bytes) -> int:
    """The number of the first line that is not UTF-8, or 0."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return len(_LINE_END.findall(text, 0, error.start)) + 1
    return 0


def unclosed_quote(text: bytes, delimiter: str) -> int:
    """The number of the line in which a quoted cell begins that does not end, or 0."""
    mark = re.escape(delimiter.encode())
    for found in re.finditer(rb"(?:\A|(?<=[" + mark + rb'\r\n]))"(?:[^"]|"")*+("?)', text):
        if not found[1]:
            return len(_LINE_END.findall(text, 0, found.start())) + 1
    return 0


def is_number(text: str, decimal: str) -> bool:
    """Whether a cell is a number, so that no column is called so."""
    try:
        float(text.replace(",", ".", 1) if decimal == "," else text)
    except ValueError:
        return False
    return "_" not in text
