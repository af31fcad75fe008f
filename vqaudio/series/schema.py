"""What a table's header and chunks say in JSON: how it is written, and what is refused by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, TypeVar, cast

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
from vqaudio.series.encodings.base import ColumnEncoding, EncodedColumn
from vqaudio.series.encodings.dictionary import DictionaryEncoding
from vqaudio.series.encodings.float_bits import FloatBits, NearDecimals
from vqaudio.series.encodings.grid import GridEncoding
from vqaudio.series.encodings.integer import IntegerEncoding
from vqaudio.series.encodings.levels import LevelsEncoding
from vqaudio.series.encodings.relative import MantissaLevels, RelativeGrid
from vqaudio.series.encodings.survey import ColumnPlan
from vqaudio.series.pieces import BY_ROW
from vqaudio.series.table import FLOATS, INTEGERS, Column, Dictionary, Table, storages_of
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


class Section(BaseModel):
    """A part of the JSON; keys that are not known are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Quotes(Section):
    """Quotes of a CSV that need not be there: around names of columns, and around the cells of some, all but a few."""

    names: Counts
    columns: Counts
    but: Annotated[list[Text], Field(max_length=4)] = []


class Lines(Section):
    """What restores the lines around some rows of a CSV."""

    blank_lines: Counts = []
    ends: StrictBool = True


class Origin(Section):
    """What restores the file that a table comes from, but for its lines."""

    suffix: Literal[".csv", ".parquet", ".npy", ".npz"]
    delimiter: Annotated[Text, Field(min_length=1, max_length=1)] = ","
    header: StrictBool = True
    newline: Literal["\n", "\r\n", "\r"] = "\n"
    bom: StrictBool = False
    quotes: Quotes | None = None
    bare: StrictBool = False
    metadata: Metadata = {}
    arrays: dict[Text, Annotated[Counts, Field(min_length=1, max_length=2)]] | None = None


Stretch = tuple[Count, Annotated[int, Field(strict=True, ge=-1, le=1100)]]


class Style(Section):
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
    | Annotated[tuple[Literal["relative"], RelativeGrid], Tag("relative")]
    | Annotated[tuple[Literal["mantissas"], MantissaLevels], Tag("mantissas")]
    | Annotated[tuple[Literal["words"], DictionaryEncoding], Tag("words")],
    Discriminator(_kind),
]


class DictionarySchema(Section):
    """A dictionary in Arrow's sense."""

    index: Integer
    ordered: StrictBool
    words: tuple[Text, ...]


class ColumnSchema(Section):
    """What all rows of a column have in common."""

    name: Text
    dtype: Text
    bound: Annotated[float, Field(strict=True, ge=0)] = 0.0
    share: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    asked: Text = ""
    zone: Text = ""
    notes: Metadata = {}
    nullable: StrictBool = True
    dictionary: DictionarySchema | None = None

    @property
    def bounded(self) -> bool:
        """Whether values may be off."""
        return self.bound > 0 or self.share > 0

    def empty_column(self) -> Column:
        """The column, without rows."""
        dictionary = None
        if self.dictionary is not None:
            dictionary = Dictionary(self.dictionary.index, self.dictionary.ordered, self.dictionary.words)
        return Column(
            self.name,
            self.dtype,
            np.zeros(0, np.dtype(storages_of(self.dtype)[0])),
            np.zeros(0, np.uint8),
            zone=self.zone,
            notes=self.notes,
            nullable=self.nullable,
            dictionary=dictionary,
        )

    @property
    def type_in_words(self) -> str:
        """Its type, with its zone."""
        words = " in a dictionary" if self.dictionary is not None else ""
        return self.dtype + words + (f" in {self.zone}" if self.zone else "")

    @property
    def bound_in_words(self) -> str:
        """How far values may be off, and in which words that was asked for where these say more."""
        bound = f"within {self.bound:g}" if self.bound else "exact"
        bound = f"within {self.share:g} of each value" if self.share else bound
        return bound + (f" ({self.asked})" if self.asked else "")

    @model_validator(mode="after")
    def _fits(self) -> ColumnSchema:
        if not storages_of(self.dtype):
            raise ValueError(f"a column of {self.dtype}")
        if self.dictionary is not None and storages_of(self.dtype) != ("object",):
            raise ValueError(f"a dictionary of {self.dtype}")
        return self


class TableSchema(Section):
    """What a header says."""

    origin: Origin
    columns: Annotated[list[ColumnSchema], FailFast(), Field(min_length=1)]
    model: Annotated[Text, Field(max_length=64)] = ""

    @model_validator(mode="after")
    def _fits(self) -> TableSchema:
        check_arrays(self.origin, len(self.columns))
        return self


Number = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**64)] | Annotated[float, Field(strict=True)]


class ColumnChunkSchema(Section):
    """What a chunk says of a column: how its numbers become values, and these text."""

    tagged_encoding: Annotated[AnyEncoding | None, Field(alias="way")] = None
    style: Style = Style()
    sentinels: Annotated[tuple[Number, ...], Field(max_length=2)] = ()

    def sentinels_of(self, column: ColumnSchema) -> tuple[int | float, ...]:
        """Values of the column that stand for none.

        Raises:
            DamageError: the column has no such values.
        """
        kind = np.dtype(column.dtype) if self.sentinels and column.dtype in FLOATS + INTEGERS else None
        for value in self.sentinels:
            limits = np.iinfo(kind) if kind is not None and kind.kind in "iu" else None
            if kind is None or (limits and (isinstance(value, float) or not limits.min <= value <= limits.max)):
                raise DamageError(f"{value} stands for no value in a column of {column.dtype}")
        return self.sentinels

    def encoding(self, column: ColumnSchema) -> ColumnEncoding:
        """How values follow from numbers.

        Raises:
            DamageError: in a way that the column's values do not.
        """
        if column.dictionary is not None and self.tagged_encoding is None:
            return DictionaryEncoding(column.dictionary.words)
        kind, found = self.tagged_encoding or (None, None)
        kind = found.base[0] if isinstance(found, LevelsEncoding) else kind
        if kind not in kinds_of(column.dtype):
            raise DamageError(f"a column of {column.dtype} is encoded as {kind}")
        if self.style.pattern is not None and column.dtype != dtype_of(self.style.pattern):
            raise DamageError(f"a column of {column.dtype} is written as {self.style.pattern}")
        return cast(ColumnEncoding, found)


class ChunkSchema(Section):
    """What a chunk says beside numbers."""

    columns: Annotated[list[ColumnChunkSchema], FailFast()] = []
    lines: Lines = Lines()


def kinds_of(dtype: str) -> set[str]:
    """The encodings that a column may have."""
    if dtype in FLOATS:
        return {"grid", "near", "bits", "relative", "mantissas"}
    if dtype in INTEGERS:
        return {"whole", "relative"}
    storages = storages_of(dtype)
    return {"words" if storage == "object" else "whole" for storage in storages}


def check_arrays(origin: Origin, n_columns: int) -> None:
    """Do nothing where a table of so many columns can come from its arrays, if it does.

    Raises:
        ValueError: it cannot.
    """
    if origin.arrays is None:
        return
    shapes = origin.arrays.values()
    if any(len(shape) != shape[0] for shape in shapes):
        raise ValueError("arrays have one dimension or two")
    if sum(shape[1] if len(shape) > 1 else 1 for shape in shapes) != n_columns:
        raise ValueError("its arrays are not as wide as its columns")


Schema = TypeVar("Schema", bound=BaseModel)


def validated(model: type[Schema], meta: Any, *, n_rows: int = 0) -> Schema:
    """What some JSON says, of so many rows.

    Raises:
        ValueError: in one line, where it does not fit the model.
    """
    try:
        return model.model_validate(meta, context={"n_rows": n_rows})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}") from None


def parse_schema(meta: Any) -> TableSchema:
    """What the JSON of a header says.

    Raises:
        ContainerError: it describes no table.
    """
    try:
        return validated(TableSchema, meta)
    except ValueError as error:
        raise ContainerError(f"the header describes no table ({error}); update vqaudio") from None


def parse_chunk_schema(meta: Any, schema: TableSchema, n_rows: int) -> ChunkSchema:
    """What the JSON of a chunk of so many rows says.

    Raises:
        DamageError: it describes no chunk of that table.
    """
    try:
        found = validated(ChunkSchema, meta, n_rows=n_rows)
    except ValueError as error:
        raise DamageError(f"its description is not one of a chunk ({error}); update vqaudio") from None
    if len(found.columns) != len(schema.columns):
        raise DamageError(f"it describes {len(found.columns)} columns, expected {len(schema.columns)}")
    return found


def describe(table: Table, plans: Sequence[ColumnPlan], *, model: str = "") -> dict[str, Any]:
    """The JSON of a header, for a table of which ``table`` holds some rows; ``model`` is a fingerprint."""
    origin = {key: value for key, value in table.origin.items() if key not in BY_ROW}
    columns = [_describe_column(column, plan) for column, plan in zip(table.columns, plans, strict=True)]
    return {"origin": origin, "columns": columns} | ({"model": model} if model else {})


def _describe_column(column: Column, plan: ColumnPlan) -> dict[str, Any]:
    about = {"name": column.name, "dtype": column.dtype}
    extras: dict[str, Any] = {"bound": plan.bound, "share": plan.share, "asked": plan.words}
    extras |= {"zone": column.zone, "notes": column.notes}
    if column.dictionary is not None:
        extras["dictionary"] = dict(vars(column.dictionary))
    extras = {key: value for key, value in extras.items() if value}
    return about | extras | ({} if column.nullable else {"nullable": False})


def describe_chunk(piece: Table, encoded: Sequence[EncodedColumn]) -> dict[str, Any]:
    """The JSON of a chunk that holds these rows."""
    lines = {key: piece.origin[key] for key in BY_ROW if key in piece.origin}
    columns = [_describe_rows(column, found) for column, found in zip(piece.columns, encoded, strict=True)]
    return {"columns": columns} | ({"lines": lines} if lines else {})


def _describe_rows(column: Column, encoded: EncodedColumn) -> dict[str, Any]:
    about: dict[str, Any] = {}
    if column.dictionary is None:
        encoding = encoded.encoding
        defaults = {field.name: field.default for field in fields(cast(Any, encoding))}
        arguments = {key: value for key, value in encoding.as_json().items() if value != defaults.get(key, MISSING)}
        about["way"] = [encoding.kind, arguments]
    if encoded.sentinels:
        about["sentinels"] = list(encoded.sentinels)
    return about | ({"style": column.style} if column.style else {})
