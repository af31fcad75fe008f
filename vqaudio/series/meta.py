"""What may stand in ``meta``, the JSON of a table's header, and how much of it; all else is refused by its name."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    InstanceOf,
    StrictBool,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from vqaudio.container.fields import DamageError
from vqaudio.errors import ContainerError
from vqaudio.series.encodings.base import ColumnEncoding
from vqaudio.series.encodings.dictionary import DictionaryEncoding
from vqaudio.series.encodings.float_bits import FloatBits, NearDecimals
from vqaudio.series.encodings.grid import GridEncoding
from vqaudio.series.encodings.integer import IntegerEncoding
from vqaudio.series.table import FLOATS, storages_of

MOST_TEXT, TEXT_PER_BYTE = 1 << 22, 128
"""Bytes of JSON that are unpacked for any file, and for each of its bytes: alike descriptions of columns pack well."""
MOST_CONTAINERS, CONTAINERS_PER_BYTE = 1 << 12, 4
"""Lists and objects: about ten a column, which takes four bytes or more of each chunk."""
MOST_ITEMS, ITEMS_PER_BYTE, ROWS_PER_ITEM = 1 << 16, 8, 8
"""What stands in them: words, and cells that are kept as they stood."""
MOST_DEPTH = 8
LATER = "fields"
"""What ``columns`` are called where a key is used that the first readers would pass over; so they refuse the file."""
LATER_KEYS = {"bom", "quotes", "blank_lines", "ends", "bare", "nullable", "dictionary", "point"}

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)

Text = InstanceOf[str]  # pydantic's own strings hold no lone surrogates; names and words may
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Counts = Annotated[list[Count], FailFast()]
Integer = Literal["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def _texts_of_bytes(texts: Mapping[str, str]) -> Mapping[str, str]:
    for pair in texts.items():
        "".join(pair).encode("latin1")
    return texts


Metadata = Annotated[dict[Text, Text], AfterValidator(_texts_of_bytes)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Quotes(_Section):
    """Quotes of a CSV that need not be there: around the names of some columns, and around all cells of some."""

    names: Counts
    columns: Counts


class Origin(_Section):
    """What restores the file that a table comes from."""

    suffix: Literal[".csv", ".parquet", ".npy", ".npz"]
    delimiter: Annotated[Text, Field(min_length=1, max_length=1)] = ","
    header: StrictBool = True
    newline: Literal["\n", "\r\n", "\r"] = "\n"
    bom: StrictBool = False
    quotes: Quotes | None = None
    blank_lines: Counts = []
    ends: StrictBool = True
    bare: StrictBool = False
    metadata: Metadata = {}
    arrays: dict[Text, Annotated[Counts, Field(min_length=1, max_length=2)]] | None = None


class Style(_Section):
    """How cells are written as text; see :mod:`vqaudio.series.cell_style`."""

    gap: Text = ""
    digits: Annotated[int, Field(strict=True, ge=0, le=1100)] | None = None
    short: StrictBool = False
    point: Literal[".", ","] = "."
    words: Annotated[list[Text], Field(min_length=2, max_length=2)] | None = None
    unit: Literal["s", "m", "D", "ms", "us", "ns"] | None = None
    between: Literal["T", " "] = " "
    end: Literal["", "Z", "+00:00"] = ""
    spelled: tuple[Counts, Annotated[list[Text], FailFast()]] = ([], [])

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Style:
        rows, texts = self.spelled
        if len(rows) != len(texts) or (rows and sum(rows) >= cast(dict[str, int], info.context)["n_rows"]):
            raise ValueError("cells are kept as they stood outside the rows")
        return self


class DictionaryMeta(_Section):
    """The index of a dictionary; its words are those of the encoding."""

    index: Integer
    ordered: StrictBool


def _kind(encoding: Any) -> str | None:
    if not isinstance(encoding, list | tuple) or not encoding or not isinstance(encoding[0], str):
        return None
    return encoding[0]


AnyEncoding = Annotated[
    Annotated[tuple[Literal["whole"], IntegerEncoding], Tag("whole")]
    | Annotated[tuple[Literal["grid"], GridEncoding], Tag("grid")]
    | Annotated[tuple[Literal["near"], NearDecimals], Tag("near")]
    | Annotated[tuple[Literal["bits"], FloatBits], Tag("bits")]
    | Annotated[tuple[Literal["words"], DictionaryEncoding], Tag("words")],
    Discriminator(_kind),
]


class ColumnMeta(_Section):
    """All of a column but its cells."""

    name: Text
    dtype: Text
    stored: Text
    way: AnyEncoding
    bound: Annotated[float, Field(strict=True, ge=0)] = 0.0
    zone: Text = ""
    notes: Metadata = {}
    style: Style = Style()
    nullable: StrictBool = True
    dictionary: DictionaryMeta | None = None

    @property
    def encoding(self) -> ColumnEncoding:
        """How its values follow from numbers."""
        return cast(ColumnEncoding, self.way[1])

    @model_validator(mode="after")
    def _fits(self) -> ColumnMeta:
        if self.stored not in storages_of(self.dtype):
            raise ValueError(f"a column of {self.dtype} in {self.stored}")
        kinds = {"grid", "near", "bits"} if self.dtype in FLOATS else {"whole"}
        kinds = {"words"} if self.stored == "object" else kinds
        if self.way[0] not in kinds or (self.dictionary is not None and self.way[0] != "words"):
            raise ValueError(f"a column of {self.dtype} by way of {self.way[0]}")
        return self


class Meta(_Section):
    """All that a header says beside numbers."""

    origin: Origin
    columns: Annotated[list[ColumnMeta], FailFast(), Field(min_length=1)]
    model: Annotated[Text, Field(max_length=64)] = ""

    @model_validator(mode="after")
    def _fits(self) -> Meta:
        arrays = self.origin.arrays
        if arrays is not None and any(len(shape) != shape[0] for shape in arrays.values()):
            raise ValueError("arrays have one dimension or two")
        if arrays is not None and sum(shape[1] if len(shape) > 1 else 1 for shape in arrays.values()) != len(
            self.columns
        ):
            raise ValueError("its arrays are not as wide as its columns")
        return self


def checked(meta: Any, n_rows: int) -> Meta:
    """What a header says, or ContainerError for what is no table of so many rows."""
    try:
        if n_rows < 1:
            raise ValueError("it has no rows")
        return Meta.model_validate(meta, context={"n_rows": n_rows})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ContainerError(f"the header describes no table ({place}: {first['msg']}); update vqaudio") from None
    except ValueError as error:
        raise ContainerError(f"the header describes no table ({error}); update vqaudio") from None


# ----------------------------------------------------------------------------------------------------- to and from JSON


def packed(meta: Mapping[str, Any]) -> bytes:
    """``meta`` as it stands in a file."""
    used = {*meta["origin"]}.union(*(set(column) | set(column.get("style", {})) for column in meta["columns"]))
    if used & LATER_KEYS:
        meta = {LATER if key == "columns" else key: value for key, value in meta.items()}
    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return zlib.compress(text, 9)


def unpacked(data: bytes, n_rows: int, n_bytes: int) -> Any:
    """What :func:`packed` was given, in a file of so many rows and bytes, its amount checked; or DamageError."""
    most = MOST_TEXT + TEXT_PER_BYTE * n_bytes
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, most)
    except zlib.error as error:
        raise DamageError(str(error)) from None
    if unpacker.unconsumed_tail:
        raise DamageError(f"it describes itself in more than {most} bytes")
    _check_amount(_STRING.sub(b"", text), n_rows, n_bytes)
    try:
        meta = json.loads(text.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise DamageError(str(error)) from None
    if isinstance(meta, dict) and LATER in meta and "columns" not in meta:
        meta["columns"] = meta.pop(LATER)
    return meta


def _check_amount(bare: bytes, n_rows: int, n_bytes: int) -> None:
    """Refuse what would take much more memory than the file; ``bare`` is JSON without its strings."""
    signs = np.frombuffer(bare, np.uint8)
    steps = np.isin(signs, np.frombuffer(b"[{", np.uint8)).astype(np.int8)
    n_containers = int(np.count_nonzero(steps))
    steps[np.isin(signs, np.frombuffer(b"]}", np.uint8))] = -1
    depth = int(steps.cumsum(dtype=np.int32).max(initial=0))
    if depth > MOST_DEPTH:
        raise DamageError(f"it describes itself in lists {depth} deep, expected {MOST_DEPTH} at most")
    most_containers = MOST_CONTAINERS + CONTAINERS_PER_BYTE * n_bytes
    most_items = MOST_ITEMS + ITEMS_PER_BYTE * n_bytes + n_rows // ROWS_PER_ITEM
    if n_containers > most_containers or bare.count(b",") > most_items:
        raise DamageError(f"it describes itself in more parts than a file of {n_bytes} bytes needs")
