"""Land: every new file of every source, whole, once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from recsynth.bronze.columns import UNKNOWN, Form, kinds_of, kinds_of_table
from recsynth.bronze.drift import MOST_COLUMNS, check_count, judged, known_of
from recsynth.bronze.readers import read_files, table_rows
from recsynth.errors import InputError
from recsynth.pseudonyms import check_key, hidden, key_of_environment
from recsynth.source import LOCAL_FORMATS, SourceSettings
from recsynth.stage import Frames, Night
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LandingFile:
    """A file that has not landed yet: where it lies, its content's sha256 and its columns with their kinds."""

    source: str
    path: str
    relative: str
    sha256: str
    kinds: dict[str, str]

    @property
    def file_id(self) -> str:
        """sha256 of source and content: a copy under another name is the same file."""
        return hashlib.sha256(f"{self.source}/{self.sha256}".encode()).hexdigest()


@dataclass(frozen=True)
class Batch:
    """What a source has new: rows (file_id, source, path, sha256, raw, fields), and the form of each file in order."""

    rows: DataFrame
    forms: Sequence[Form]


def land(landed_files: DataFrame, rows: DataFrame, column_changes: DataFrame, night: Night) -> Frames:
    """Read what is new in the landing folder; nothing where nothing is.

    Reads bronze.landed_files, bronze.column_changes (and bronze.rows for tables); writes all three. A file is new if
    no file of its source with the same content has landed. A Delta or catalogue table lands the rows that it has more
    than bronze holds of it (exceptAll on their text), so that appended rows land once.
    Raises InputError before anything is written: no folder, no file, no CSV, columns that `sources.drift` refuses.
    """
    spark = landed_files.sparkSession
    known = {(r.source, r.sha256) for r in landed_files.select("source", "sha256").collect()}  # one row a file
    key = key_of_environment() if night.settings.landing.pseudonyms else None
    batches: list[Batch] = []
    written: list[DataFrame] = []
    for source in night.settings.sources:
        before = rows.where(F.col("source") == source.name)
        is_local = source.format in LOCAL_FORMATS
        found = _new_files(spark, source, night, known) if is_local else _new_rows(spark, source, before, key)
        if found is None:
            continue
        check_key(before, source, key)
        batches.append(found)
        written.append(hidden(found.rows, source, key) if is_local and key is not None else found.rows)
    if not batches:
        return {}
    landed = reduce(DataFrame.unionByName, [b.rows for b in batches])
    counted = _counted(landed, night).persist()
    forms = [form for batch in batches for form in batch.forms]
    changes = list(_changes(forms, column_changes, counted, night))
    files = counted.groupBy("file_id", "source", "path", "sha256").agg(F.sum("rows").alias("rows"))
    files = files.withColumn("landed_at", F.lit(night.started_at))
    result = {
        "rows": reduce(DataFrame.unionByName, written).where("raw is not null").select(*ROWS.column_names),
        "landed_files": files.select(*LANDED_FILES.column_names),
    }
    if changes:
        result["column_changes"] = spark.createDataFrame(changes, COLUMN_CHANGES.schema)
    return result


def _counted(landed: DataFrame, night: Night) -> DataFrame:
    """Each file by the keys of its rows, where these are JSON Lines (`key`); its rows stand beside one of these alone.

    One pass, in parts that spill: a file may have as many combinations of keys as rows.
    """
    by_lines = F.col("source").isin([s.name for s in night.settings.sources if s.format == "jsonl"])
    of_file = ("file_id", "source", "path", "sha256")
    keys = F.posexplode_outer(F.when(by_lines, F.map_keys("fields"))).alias("at", "key")
    once = F.col("raw").isNotNull() & (F.coalesce("at", F.lit(0)) == 0)
    return landed.select(*of_file, "raw", keys).groupBy(*of_file, "key").agg(F.count_if(once).alias("rows"))


def _changes(
    forms: Sequence[Form], column_changes: DataFrame, counted: DataFrame, night: Night
) -> Iterator[tuple[object, ...]]:
    """Rows of bronze.column_changes, file by file. Bound on the driver: a row a change, MOST_COLUMNS a file."""
    before = column_changes.orderBy("landed_at", "place").collect()
    sources = {s.name: s for s in night.settings.sources}
    known = {name: known_of(source, before) for name, source in sources.items()}
    keys = counted.where("key is not null").groupBy("file_id").agg(F.count("*").alias("n"))
    wheres = {form.file_id: form.where for form in forms}
    for row in keys.where(F.col("n") > MOST_COLUMNS).take(1):
        check_count(wheres[row.file_id], row.n)
    said: dict[str, list[str]] = {}
    for row in counted.where("key is not null").select("file_id", "key").collect():
        said.setdefault(row.file_id, []).append(row.key)
    place = 0
    for form in forms:
        source = sources[form.source]
        if source.format == "jsonl":
            kinds = {key: form.kinds.get(key, UNKNOWN) for key in sorted(said.get(form.file_id, ()))}
            form = Form(form.file_id, form.source, form.where, kinds)
        for change, policy in judged(form, source, known[source.name]) if form.kinds else ():
            told = (change.column, change.change, change.was, change.found, policy)
            yield (form.file_id, form.source, *told, place, night.started_at)
            place += 1


def _new_files(spark: SparkSession, source: SourceSettings, night: Night, known: set[tuple[str, str]]) -> Batch | None:
    """New files of a source; `raw` is null for a file without rows."""
    found = _listed(source, Path(night.settings.paths.landing), known)
    if not found:
        return None
    log.info("%s: %d new files", source.name, len(found))
    columns = "file string, file_id string, source string, path string, sha256 string"
    files = spark.createDataFrame([(f.path, f.file_id, f.source, f.relative, f.sha256) for f in found], columns)
    # A row of JSON Lines says its own fields.
    headers = {f.path: () if source.format == "jsonl" else tuple(f.kinds) for f in found}
    rows = read_files(spark, source, headers).withColumnRenamed("path", "file")
    forms = [Form(f.file_id, f.source, f.path, f.kinds) for f in found]
    return Batch(files.join(rows, on="file", how="left").drop("file"), forms)


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
        file = LandingFile(source.name, str(path.resolve()), relative, sha256, kinds_of(path, source))
        found.setdefault(file.file_id, file)
    return list(found.values())


def _new_rows(spark: SparkSession, source: SourceSettings, before: DataFrame, key: bytes | None) -> Batch | None:
    """The rows of a Delta or catalogue table that are not among those that landed before, as one landed file."""
    try:
        table = spark.table(source.path) if source.format == "table" else spark.read.format("delta").load(source.path)
    except AnalysisException as error:
        raise InputError(
            f"source {source.name}", f"a {source.format} at {source.path}", str(error).splitlines()[0]
        ) from error
    raw = table_rows(table, source.path).select("raw")
    fresh = (raw if key is None else hidden(raw, source, key)).exceptAll(before.select("raw"))
    digest = fresh.agg(F.count("*").alias("n"), F.sum(F.xxhash64("raw").cast("decimal(38,0)")).alias("h")).first()
    if digest is None or not digest.n:
        return None
    sha256 = hashlib.sha256(f"{source.path}/{digest.n}/{digest.h}".encode()).hexdigest()
    file_id = hashlib.sha256(f"{source.name}/{sha256}".encode()).hexdigest()
    fields = F.from_json("raw", "map<string,string>")
    landed = fresh.select(
        F.lit(file_id).alias("file_id"), F.lit(source.name).alias("source"), F.lit(source.path).alias("path"),
        F.lit(sha256).alias("sha256"), "raw", fields.alias("fields"),
    )  # fmt: skip
    return Batch(landed, [Form(file_id, source.name, source.path, kinds_of_table(table.schema))])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
