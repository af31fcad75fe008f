"""What a table's header says of its columns, as JSON (``meta``): how it is written, and what is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from vqaudio.errors import ContainerError
from vqaudio.series.encodings.base import ColumnEncoding, EncodedColumn
from vqaudio.series.encodings.dictionary import DictionaryEncoding
from vqaudio.series.encodings.float_bits import FloatBits, NearDecimals
from vqaudio.series.encodings.grid import GridEncoding
from vqaudio.series.encodings.integer import IntegerEncoding
from vqaudio.series.encodings.levels import LevelsEncoding
from vqaudio.series.table import FLOATS, Column, Dictionary, Table, storages_of
from vqaudio.series.time_text import dtype_of, is_pattern

Text = InstanceOf[str]  # pydantic's own strings hold no lone surrogates; names and words may
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Counts = Annotated[list[Count], FailFast()]
Integer = Literal["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def _texts_of_bytes(texts: Mapping[str, str]) -> Mapping[str, str]:
    for pair in texts.items():
        "".join(pair).encode("latin1")
    return texts


Metadata = Annotated[dict[Text, Text], AfterValidator(_texts_of_bytes)]


def _pattern(text: str) -> str:
    if not is_pattern(text):
        raise ValueError(f"{text!r} is no pattern of times")
    return text


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


Stretch = tuple[Count, Annotated[int, Field(strict=True, ge=-1, le=1100)]]


class Style(_Section):
    """How cells are written as text; see :mod:`vqaudio.series.cell_style`."""

    gap: Text = ""
    digits: Annotated[int, Field(strict=True, ge=0, le=1100)] | None = None
    short: StrictBool = False
    point: Literal[".", ","] = "."
    words: Annotated[list[Text], Field(min_length=2, max_length=2)] | None = None
    unit: Literal["s", "m", "D", "ms", "us", "ns"] | None = None
    pattern: Annotated[str, Field(max_length=64), AfterValidator(_pattern)] | None = None
    between: Literal["T", " "] = " "
    end: Literal["", "Z", "+00:00"] = ""
    stretches: Annotated[list[Stretch], FailFast()] = []
    exceptions: Annotated[list[tuple[Annotated[float, Field(strict=True)], Text]], Field(max_length=8)] = []
    spelled: tuple[Counts, Annotated[list[Text], FailFast()]] = ([], [])

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Style:
        rows, texts = self.spelled
        if len(rows) != len(texts) or (rows and sum(rows) >= cast(dict[str, int], info.context)["n_rows"]):
            raise ValueError("cells are kept as they stood outside the rows")
        return self


class DictionarySchema(_Section):
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
    | Annotated[tuple[Literal["levels"], LevelsEncoding], Tag("levels")]
    | Annotated[tuple[Literal["words"], DictionaryEncoding], Tag("words")],
    Discriminator(_kind),
]


class ColumnSchema(_Section):
    """All of a column but its cells."""

    name: Text
    dtype: Text
    storage: Annotated[Text, Field(alias="stored")]
    tagged_encoding: Annotated[AnyEncoding, Field(alias="way")]
    bound: Annotated[float, Field(strict=True, ge=0)] = 0.0
    zone: Text = ""
    notes: Metadata = {}
    style: Style = Style()
    nullable: StrictBool = True
    dictionary: DictionarySchema | None = None

    @property
    def encoding(self) -> ColumnEncoding:
        """How its values follow from numbers."""
        return cast(ColumnEncoding, self.tagged_encoding[1])

    def empty_column(self) -> Column:
        """The column, without rows."""
        dictionary = None
        if self.dictionary is not None:
            words = cast(DictionaryEncoding, self.encoding).words
            dictionary = Dictionary(self.dictionary.index, self.dictionary.ordered, words)
        return Column(
            self.name,
            self.dtype,
            np.zeros(0, np.dtype(self.storage)),
            np.zeros(0, np.uint8),
            zone=self.zone,
            notes=self.notes,
            style=self.style.model_dump(exclude_unset=True),
            nullable=self.nullable,
            dictionary=dictionary,
        )

    def __str__(self) -> str:
        zone = f" in {self.zone}" if self.zone else ""
        bound = f"within {self.bound:g}" if self.bound else "exact"
        words = " in a dictionary" if self.dictionary is not None else ""
        return f"{self.name}: {self.dtype}{words}{zone}, {bound}"

    @model_validator(mode="after")
    def _fits(self) -> ColumnSchema:
        if self.storage not in storages_of(self.dtype):
            raise ValueError(f"a column of {self.dtype} in {self.storage}")
        kinds = {"grid", "near", "bits"} if self.dtype in FLOATS else {"whole"}
        kinds = {"words"} if self.storage == "object" else kinds
        encoding = self.tagged_encoding[1]
        kind = encoding.base[0] if isinstance(encoding, LevelsEncoding) else self.tagged_encoding[0]
        if kind not in kinds or (self.dictionary is not None and self.tagged_encoding[0] != "words"):
            raise ValueError(f"a column of {self.dtype} encoded as {self.tagged_encoding[0]}")
        if self.style.pattern is not None and self.dtype != dtype_of(self.style.pattern):
            raise ValueError(f"a column of {self.dtype} written as {self.style.pattern}")
        return self


class TableSchema(_Section):
    """All that a header says beside numbers."""

    origin: Origin
    columns: Annotated[list[ColumnSchema], FailFast(), Field(min_length=1)]
    model: Annotated[Text, Field(max_length=64)] = ""

    @model_validator(mode="after")
    def _fits(self) -> TableSchema:
        arrays = self.origin.arrays
        if arrays is not None and any(len(shape) != shape[0] for shape in arrays.values()):
            raise ValueError("arrays have one dimension or two")
        if arrays is not None and sum(shape[1] if len(shape) > 1 else 1 for shape in arrays.values()) != len(
            self.columns
        ):
            raise ValueError("its arrays are not as wide as its columns")
        return self


def parse_schema(meta: Any, n_rows: int) -> TableSchema:
    """What the JSON of a header says of a table with so many rows.

    Raises:
        ContainerError: it describes no such table.
    """
    try:
        if n_rows < 1:
            raise ValueError("it has no rows")
        return TableSchema.model_validate(meta, context={"n_rows": n_rows})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ContainerError(f"the header describes no table ({place}: {first['msg']}); update vqaudio") from None
    except ValueError as error:
        raise ContainerError(f"the header describes no table ({error}); update vqaudio") from None


def describe(table: Table, columns: Sequence[EncodedColumn]) -> dict[str, Any]:
    """The JSON of a header for a table whose columns are encoded so."""
    described = [_describe_column(column, encoded) for column, encoded in zip(table.columns, columns, strict=True)]
    return {"origin": table.origin, "columns": described}


def _describe_column(column: Column, encoded: EncodedColumn) -> dict[str, Any]:
    """All of a column but its cells."""
    encoding = [encoded.encoding.kind, encoded.encoding.as_json()]
    about = {"name": column.name, "dtype": column.dtype, "stored": column.values.dtype.name, "way": encoding}
    extras = {"zone": column.zone, "notes": column.notes, "style": column.style, "bound": encoded.bound}
    if column.dictionary is not None:
        extras["dictionary"] = {"index": column.dictionary.index, "ordered": column.dictionary.ordered}
    extras = {key: value for key, value in extras.items() if value}
    return about | extras | ({} if column.nullable else {"nullable": False})
