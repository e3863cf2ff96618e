"""Land: every new file of every source, whole, once."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.bronze.readers import header_of, read_files, table_rows
from recsynth.errors import InputError
from recsynth.expressions import references
from recsynth.source import PATH, SourceSettings
from recsynth.stage import Frames, Night
from recsynth.tables.bronze import LANDED_FILES, ROWS

log = logging.getLogger(__name__)

LOCAL_FORMATS = ("csv", "jsonl", "parquet")


@dataclass(frozen=True)
class LandingFile:
    """A file that has not landed yet: where it lies, its content's sha256 and its column names."""

    source: str
    path: str
    relative: str
    sha256: str
    header: tuple[str, ...]

    @property
    def file_id(self) -> str:
        """sha256 of source and content: a copy under another name is the same file."""
        return hashlib.sha256(f"{self.source}/{self.sha256}".encode()).hexdigest()


def land(landed_files: DataFrame, rows: DataFrame, night: Night) -> Frames:
    """Read what is new in the landing folder; nothing where nothing is.

    Reads bronze.landed_files (and bronze.rows for tables); writes both. A file is new if no file of its
    source with the same content has landed. A Delta or catalogue table lands the rows that it has more
    than bronze holds of it (exceptAll on their text), so that appended rows land once.
    Raises InputError before anything is written: no folder, no file, no CSV, a column that is missing.
    """
    spark = landed_files.sparkSession
    known = {(r.source, r.sha256) for r in landed_files.select("source", "sha256").collect()}  # one row a file
    batches = [
        found
        for source in night.settings.sources
        if (found := _new_files(spark, source, night, known) if source.format in LOCAL_FORMATS
            else _new_rows(spark, source, rows)) is not None
    ]  # fmt: skip
    if not batches:
        return {}
    landed = reduce(DataFrame.unionByName, batches)
    counted = landed.groupBy("file_id", "source", "path", "sha256").agg(F.count("raw").alias("rows"))
    files = counted.withColumn("landed_at", F.lit(night.started_at))
    data = landed.where("raw is not null")
    return {"rows": data.select(*ROWS.column_names), "landed_files": files.select(*LANDED_FILES.column_names)}


def _new_files(
    spark: SparkSession, source: SourceSettings, night: Night, known: set[tuple[str, str]]
) -> DataFrame | None:
    """Rows (file_id, source, path, sha256, raw, fields) of new files; raw is null for a file without rows."""
    found = _listed(source, Path(night.settings.paths.landing), known)
    if not found:
        return None
    log.info("%s: %d new files", source.name, len(found))
    columns = "file string, file_id string, source string, path string, sha256 string"
    files = spark.createDataFrame([(f.path, f.file_id, f.source, f.relative, f.sha256) for f in found], columns)
    rows = read_files(spark, source, {f.path: f.header for f in found}).withColumnRenamed("path", "file")
    return files.join(rows, on="file", how="left").drop("file")


def _listed(source: SourceSettings, landing: Path, known: set[tuple[str, str]]) -> list[LandingFile]:
    if not landing.is_dir():
        raise InputError(str(landing), "the landing folder (paths.landing)", "no such folder")
    paths = sorted(p for p in landing.glob(source.path) if p.is_file())
    if not paths:
        raise InputError(f"{landing / source.path}", f"files of source {source.name}", "none")
    found: dict[str, LandingFile] = {}
    for path in paths:
        sha256 = _sha256(path)
        if (source.name, sha256) in known:
            continue
        relative = str(path.relative_to(landing))
        file = LandingFile(source.name, str(path.resolve()), relative, sha256, _header(path, source))
        found.setdefault(file.file_id, file)
    return list(found.values())


def _header(path: Path, source: SourceSettings) -> tuple[str, ...]:
    """The file's columns, none for JSON Lines, where each row says its own; refuses a file that lacks one."""
    if source.format == "jsonl":
        with path.open("rb") as file:
            if b"\0" in file.read(65_536):
                raise InputError(str(path), "JSON Lines", "binary content")
        return ()
    if source.format == "parquet":
        try:
            header = tuple(pq.read_schema(path).names)
        except (OSError, ValueError) as error:
            raise InputError(str(path), "a Parquet file", str(error).splitlines()[0]) from error
    else:
        header = header_of(str(path), source)
    _check_columns(str(path), source, header)
    return header


def _check_columns(where: str, source: SourceSettings, header: tuple[str, ...]) -> None:
    missing = sorted(_references(source) - set(header) - set(source.optional) - {PATH})
    if missing:
        raise InputError(
            where, f"the columns {', '.join(missing)} (delimiter {source.delimiter!r})", ", ".join(header)[:200]
        )


def _references(source: SourceSettings) -> set[str]:
    return {name for text in source.expressions for name in references(text, f"source {source.name}")}


def _new_rows(spark: SparkSession, source: SourceSettings, rows: DataFrame) -> DataFrame | None:
    """The rows of a Delta or catalogue table that bronze does not hold yet, as one landed file."""
    try:
        table = spark.table(source.path) if source.format == "table" else spark.read.format("delta").load(source.path)
    except AnalysisException as error:
        raise InputError(
            f"source {source.name}", f"a {source.format} at {source.path}", str(error).splitlines()[0]
        ) from error
    _check_columns(source.path, source, tuple(table.columns))
    have = rows.where(F.col("source") == source.name)
    raw = table_rows(table, source.path)
    fresh = raw.select("raw").exceptAll(have.select("raw"))
    digest = fresh.agg(F.count("*").alias("n"), F.sum(F.xxhash64("raw").cast("decimal(38,0)")).alias("h")).first()
    if digest is None or not digest.n:
        return None
    sha256 = hashlib.sha256(f"{source.path}/{digest.n}/{digest.h}".encode()).hexdigest()
    file_id = hashlib.sha256(f"{source.name}/{sha256}".encode()).hexdigest()
    fields = F.from_json("raw", "map<string,string>")
    return fresh.select(
        F.lit(file_id).alias("file_id"), F.lit(source.name).alias("source"), F.lit(source.path).alias("path"),
        F.lit(sha256).alias("sha256"), "raw", fields.alias("fields"),
    )  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
