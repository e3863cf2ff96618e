"""Columns: what a file that has not landed yet holds, by name and by kind of value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from pyspark.sql.types import BooleanType, DateType, NumericType, StructType, TimestampNTZType, TimestampType

from recsynth.bronze.readers import header_of
from recsynth.errors import InputError
from recsynth.source import SourceSettings

NUMBER, TIME, TRUTH, TEXT, UNKNOWN = "number", "time", "boolean", "text", ""
SAMPLE_LINES = 1000


@dataclass(frozen=True)
class Form:
    """The columns of one landing file in their order, each with its kind; `where` is what messages call the file."""

    file_id: str
    source: str
    where: str
    kinds: dict[str, str]


def kinds_of(path: Path, source: SourceSettings) -> dict[str, str]:
    """Column to kind, in the file's order; of JSON Lines only what the first lines hold.

    A kind is read from the first megabyte, or from the schema of a Parquet file; UNKNOWN where no value tells.
    Raises InputError where the file is not of its source's format.
    """
    if source.format == "jsonl":
        return _of_lines(path, source)
    if source.format == "parquet":
        try:
            schema = pq.read_schema(path)
        except (OSError, ValueError) as error:
            raise InputError(str(path), "a Parquet file", str(error).splitlines()[0]) from error
        return {field.name: _of_arrow(field.type) for field in schema}
    header = header_of(str(path), source)
    try:
        parse = pcsv.ParseOptions(
            delimiter=source.delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
        )
        with pcsv.open_csv(path, pcsv.ReadOptions(encoding=source.encoding), parse) as file:
            schema = file.schema
        kinds = [_of_arrow(field.type) for field in schema]
    except (pa.ArrowInvalid, ValueError, LookupError):  # A delimiter of two letters, say: names are all that is known.
        kinds = []
    return dict(zip(header, kinds if len(kinds) == len(header) else [UNKNOWN] * len(header), strict=True))


def kinds_of_table(schema: StructType) -> dict[str, str]:
    """The same of a Delta or catalogue table."""
    return {field.name: _of_spark(field.dataType) for field in schema}


def _of_lines(path: Path, source: SourceSettings) -> dict[str, str]:
    kinds: dict[str, str] = {}
    with path.open("rb") as file:
        if b"\0" in file.read(65_536):
            raise InputError(str(path), "JSON Lines", "binary content")
        file.seek(0)
        for line in islice(file, SAMPLE_LINES):
            try:
                row = json.loads(line)
            except ValueError:
                continue  # Malformed rows are counted and set aside when they are cleaned.
            for name, value in row.items() if isinstance(row, dict) else ():
                kind = _of_json(value)
                before = kinds.get(name, UNKNOWN)
                kinds[name] = kind if before in (UNKNOWN, kind) else before if kind == UNKNOWN else TEXT
    return kinds


def _of_json(value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return TRUTH
    return NUMBER if isinstance(value, int | float) else TEXT


def _of_arrow(kind: pa.DataType) -> str:
    if pa.types.is_null(kind):
        return UNKNOWN
    if pa.types.is_boolean(kind):
        return TRUTH
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBER
    return TIME if pa.types.is_temporal(kind) else TEXT


def _of_spark(kind: object) -> str:
    if isinstance(kind, BooleanType):
        return TRUTH
    if isinstance(kind, NumericType):
        return NUMBER
    return TIME if isinstance(kind, DateType | TimestampType | TimestampNTZType) else TEXT
