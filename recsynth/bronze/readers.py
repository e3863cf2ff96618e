"""Readers: files of one format become rows of text fields, malformed lines kept as they came."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from recsynth.errors import InputError
from recsynth.source import SourceSettings

MALFORMED = "_malformed"
SAMPLE_BYTES = 65_536


def read_files(spark: SparkSession, source: SourceSettings, headers: dict[str, tuple[str, ...]]) -> DataFrame:
    """Rows (path, raw, fields) of the files, `headers` giving each path its columns.

    Files with the same header are read together: as many Spark relations as there are headers, not files.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for path, header in headers.items():
        groups.setdefault(header, []).append(path)
    reader = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}[source.format]
    return reduce(DataFrame.unionByName, [reader(spark, source, paths, header) for header, paths in groups.items()])


def header_of(path: str, source: SourceSettings) -> tuple[str, ...]:
    """The column names in a CSV file's first line.

    Raises InputError if the file is empty, is no text, or names a column twice.
    """
    with open(path, "rb") as file:
        start = file.read(SAMPLE_BYTES)
    if b"\0" in start:
        raise InputError(path, f"a {source.format} file", "binary content")
    try:
        line = start.split(b"\n", 1)[0].decode(source.encoding).strip("\r\n\ufeff")
    except (UnicodeDecodeError, LookupError) as error:
        raise InputError(path, f"text in {source.encoding}", str(error)) from error
    if not line:
        raise InputError(path, "a header line", "an empty file")
    names = tuple(name.strip().strip('"') for name in line.split(source.delimiter))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(path, "each column once", f"{', '.join(twice)} twice")
    return names


def table_rows(rows: DataFrame, path: str) -> DataFrame:
    """Rows (path, raw, fields) of a DataFrame whatever its types: every field as text."""
    return _as_text(rows, rows.columns, F.lit(path))


def _read_csv(spark: SparkSession, source: SourceSettings, paths: Sequence[str], header: tuple[str, ...]) -> DataFrame:
    schema = StructType([StructField(name, StringType()) for name in (*header, MALFORMED)])
    reader = spark.read.schema(schema).options(
        header=True, sep=source.delimiter, encoding=source.encoding, multiLine=True, escape='"', mode="PERMISSIVE",
        columnNameOfCorruptRecord=MALFORMED, enforceSchema=True,
    )  # fmt: skip
    return _as_text(reader.csv(list(paths)), header, _file_path(), F.col(MALFORMED))


def _read_jsonl(
    spark: SparkSession, source: SourceSettings, paths: Sequence[str], header: tuple[str, ...]
) -> DataFrame:
    lines = spark.read.text(list(paths)).where("trim(value) <> ''").withColumn("path", _file_path())
    fields = F.from_json("value", "map<string,string>", {"mode": "PERMISSIVE"})
    # A map of an unparsable line is null, one of a line cut within a value may be empty or partial.
    is_whole = F.get_json_object("value", "$").isNotNull() & F.trim("value").endswith("}")
    return lines.select("path", F.col("value").alias("raw"), F.when(is_whole, fields).alias("fields"))


def _read_parquet(
    spark: SparkSession, source: SourceSettings, paths: Sequence[str], header: tuple[str, ...]
) -> DataFrame:
    rows = spark.read.parquet(*paths)
    return _as_text(rows, rows.columns, _file_path())


def _as_text(rows: DataFrame, header: Sequence[str], path: Column, malformed: Column | None = None) -> DataFrame:
    """One JSON and one map of text for each row; a malformed line stays a line."""
    text = [F.col(f"`{name}`").cast("string") for name in header]
    fields = F.create_map(*(x for name, value in zip(header, text, strict=True) for x in (F.lit(name), value)))
    raw = F.to_json(F.struct(*(value.alias(name) for name, value in zip(header, text, strict=True))))
    if malformed is None:
        return rows.select(path.alias("path"), raw.alias("raw"), fields.alias("fields"))
    is_good = malformed.isNull()
    return rows.select(
        path.alias("path"),
        F.when(is_good, raw).otherwise(malformed).alias("raw"),
        F.when(is_good, fields).alias("fields"),
    )


def _file_path() -> Column:
    """The file's local path, as it was listed: without scheme and percent signs."""
    return F.regexp_replace(F.url_decode(F.col("_metadata.file_path")), "^file:(//)?", "")
