"""The lake: the only module that touches Delta."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType

from recsynth.contracts import check_key, check_rows, check_schema, completed, row_checks
from recsynth.faults import fault_point
from recsynth.tables import RUN_DATE, TABLES, Table

log = logging.getLogger(__name__)

ABSENT = -1
_VACUUM_IS_LOGGED = "spark.databricks.delta.vacuum.logging.enabled"
_COMMIT = re.compile(r"/_delta_log/(\d{20})\.json[,)]")


class _Java(NamedTuple):
    """What the store asks Hadoop's file systems with: a path, their settings, the paths of a list, arrays as text."""

    path: Any
    conf: Any
    paths: Any
    as_text: Any


class Store:
    """Reads and writes declared tables at `<lake>/<layer>/<table>`; each write is checked as it is made."""

    def __init__(
        self, spark: SparkSession, lake: str, catalog: str = "", may_change: Callable[[], None] = lambda: None
    ) -> None:
        """`catalog`: prefix under which tables are also registered by name, such as `main.shop_`.

        `may_change` is asked before every change of a table and raises where the lake is held by another run now.
        """
        self.spark, self.lake, self.catalog, self.may_change = spark, lake.rstrip("/"), catalog, may_change
        self._whole: set[str] = set()
        """Tables with every column that they declare: looked at once, and again once an earlier version is put back."""

    def path(self, table: Table) -> str:
        """The table's folder."""
        return f"{self.lake}/{table.layer}/{table.short}"

    def version(self, table: Table) -> int:
        """Latest Delta version, or -1 where the table does not exist.

        Told by the names of the commits in its log, as Delta's protocol lays down. DeltaTable.history would run a
        Spark job each time, and a night asks hundreds of times.
        """
        java = self._java
        log = java.path(f"{self.path(table)}/_delta_log")
        files = log.getFileSystem(java.conf)
        if not files.exists(log):
            return ABSENT
        # As one text: asking the JVM for each name would be a question a commit.
        names = java.as_text(java.paths(files.listStatus(log)))
        return max(map(int, _COMMIT.findall(names)), default=ABSENT)

    @cached_property
    def _java(self) -> _Java:
        """Found once: for each part of a class's name every jar is asked."""
        jvm = self.spark._jvm
        assert jvm is not None
        hadoop, conf = jvm.org.apache.hadoop.fs, self.spark._jsc.hadoopConfiguration()
        return _Java(hadoop.Path, conf, hadoop.FileUtil.stat2Paths, jvm.scala.runtime.ScalaRunTime.stringOf)

    @cached_property
    def _deltas(self) -> Any:
        """Delta's logs as the JVM holds them."""
        jvm = self.spark._jvm
        assert jvm is not None
        return jvm.org.apache.spark.sql.delta.DeltaLog

    def versions(self) -> dict[str, int]:
        """Latest version of every declared table."""
        return {name: self.version(table) for name, table in TABLES.items()}

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """All rows, `run_date` included for nightly tables; an absent table reads as empty.

        Where the table was written before it had some of its columns, these hold what they declare for such rows.
        Raises ContractError if the stored schema is otherwise not the declared one.
        """
        found = self.version(table) if version is None else version
        if found == ABSENT:
            rows = table.empty(self.spark)
            return rows.withColumn(RUN_DATE, F.lit(None).cast("date")) if table.nightly else rows
        reader = self.spark.read.format("delta")
        rows = (reader if version is None else reader.option("versionAsOf", version)).load(self.path(table))
        rows = completed(table, rows)
        check_schema(table, (rows.drop(RUN_DATE) if table.nightly else rows).schema)
        # As in Table.empty: a shop without tickets, say, has nothing run that is made of them.
        return rows.where("false") if self._has_no_file(table, found) else rows

    def read_night(self, table: Table, run_date: date) -> DataFrame:
        """The rows of one night as a stage sees them: without `run_date`."""
        return self.read(table).where(F.col(RUN_DATE) == F.lit(run_date)).select(*table.column_names)

    def read_before(self, table: Table, cutoff: datetime, as_of: date) -> DataFrame:
        """The rows before the cut-off; where the time column is a shop-local day, before the as-of date."""
        rows = self.read(table)
        if table.time is None:
            return rows
        is_day = isinstance(rows.schema[table.time].dataType, DateType)
        return rows.where(F.col(table.time) < F.lit(as_of if is_day else cutoff))

    def write(self, table: Table, rows: DataFrame, run_date: date, stage: str = "") -> int:
        """Write what a stage returned in the table's declared manner; returns the rows written.

        A nightly table's `run_date` partition is replaced whole (for `ops.metrics`: that stage's part of it).
        Raises ContractError for schema, row rules or key; the caller then restores the version before.
        """
        night = str(run_date)
        self.may_change()
        check_schema(table, rows.schema, night)
        rows = rows.select(*table.column_names)
        fault_point(f"write.{table.name}.begun")
        is_new = self.version(table) == ABSENT
        if is_new:
            self._create(table)
        elif table.name not in self._whole:
            self._grow(table)
        self._whole.add(table.name)
        observation = Observation()
        checked = rows.observe(observation, *row_checks(table), *self._touched(table))
        if table.write == "merge" and not is_new:
            return self._merge(table, checked, observation, night)
        if table.nightly:
            checked = checked.withColumn(RUN_DATE, F.lit(run_date))
        if is_new:
            # Nothing is there to be replaced, and Delta need not look for it: of a small write that is half the time.
            checked.write.format("delta").mode("append").save(self.path(table))
        else:
            self._overwrite(table, checked, run_date, stage)
        fault_point(f"write.{table.name}.committed")
        observed = observation.get
        count = check_rows(table, observed, night)
        if table.write != "append" and count > 1:
            check_key(table, self._written(table, run_date, stage, observed), night)
        return count

    def restore(self, table: Table, version: int) -> None:
        """Put an earlier version back as the latest; version -1 removes the table."""
        current = self.version(table)
        if current == version:
            return
        self.may_change()
        self._whole.discard(table.name)
        fault_point(f"restore.{table.name}")
        if version == ABSENT:
            self.delete_folder(self.path(table))
        else:
            DeltaTable.forPath(self.spark, self.path(table)).restoreToVersion(version)

    def delete(self, table: Table, condition: str) -> None:
        """Delete the rows that satisfy a SQL condition."""
        self.may_change()
        if self.version(table) != ABSENT:
            DeltaTable.forPath(self.spark, self.path(table)).delete(condition)

    def delete_matching(self, table: Table, keys: DataFrame, on: Sequence[str]) -> int:
        """Delete the rows whose columns `on` are those of a row of `keys`, none of them null; returns how many.

        The keys are rows and no condition: what they hold stands in no plan and in no commit.
        """
        self.may_change()
        if self.version(table) == ABSENT:
            return 0
        same = " AND ".join(f"old.{name} = new.{name}" for name in on)
        target = DeltaTable.forPath(self.spark, self.path(table)).alias("old")
        with _persisted(keys.select(*on).distinct()) as distinct:
            done = target.merge(distinct.alias("new"), same).whenMatchedDelete().execute().first()
        return int(done["num_deleted_rows"]) if done is not None else 0

    def forget(self, table: Table) -> None:
        """Remove all but the latest version from the disk: files, statistics and commits; no time travel before it."""
        self.may_change()
        version = self.version(table)
        if version == ABSENT:
            return
        delta = DeltaTable.forPath(self.spark, self.path(table))
        properties = delta.detail().select("properties").first()
        if properties is not None and properties[0].get("delta.enableDeletionVectors") == "true":
            # Rows that a vector hides are still in their files.
            self.spark.sql(f"REORG TABLE delta.`{self.path(table)}` APPLY (PURGE)").collect()
        # Delta asks this of whoever vacuums below a week: nobody reads beside a run that holds the lake.
        self.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
        # The entries that it writes into the log come after the deletion, whose own entry can go only then.
        self.spark.conf.set(_VACUUM_IS_LOGGED, "true")
        delta.vacuum(0)
        self._forget_commits(table)

    def tidy(self, table: Table, history_days: int, compact: bool) -> None:
        """Merge small files, if asked to, and remove from the disk what no version of the last days needs.

        A reader of an older version finds its files gone. What is merged is a new version with the same rows.
        """
        if self.version(table) == ABSENT:
            return
        self.may_change()
        delta = DeltaTable.forPath(self.spark, self.path(table))
        if compact:
            delta.optimize().executeCompaction()
        # Its two log entries would be versions of the table, and tell stages of something new where nothing is.
        self.spark.conf.set(_VACUUM_IS_LOGGED, "false")
        delta.vacuum(24 * history_days)

    def _forget_commits(self, table: Table) -> None:
        """Write a checkpoint of the latest version and remove the commits before it, as the protocol allows."""
        self._deltas.forTable(self.spark._jsparkSession, self.path(table)).checkpoint()
        latest = self.version(table)
        folder = self._java.path(f"{self.path(table)}/_delta_log")
        files = folder.getFileSystem(self._java.conf)
        for file in files.listStatus(folder):
            name = file.getPath().getName()
            if name[:20].isdigit() and int(name[:20]) < latest:
                files.delete(file.getPath(), False)
        # What it has read of them before is not what lies there now.
        self._deltas.clearCache()

    def delete_folder(self, path: str) -> None:
        """Remove a folder on whatever file system it lies."""
        folder = self._java.path(path)
        folder.getFileSystem(self._java.conf).delete(folder, True)

    def _create(self, table: Table) -> None:
        builder = DeltaTable.createIfNotExists(self.spark).location(self.path(table)).comment(table.grain)
        builder = builder.addColumns(table.stored_schema)
        if table.partition_by:
            builder = builder.partitionedBy(*table.partition_by)
        builder.execute()
        self._register(table)

    def _grow(self, table: Table) -> None:
        """Give a table of before the columns that it lacks, with what they declare for the rows of before: one commit.

        The table is written anew only where one of them declares anything; nulls need no file.
        """
        stored = self.spark.read.format("delta").load(self.path(table))
        lacking = [c for c in table.columns if c.name not in stored.columns and c.is_addable]
        if not lacking:
            return
        log.warning("%s was written before it had %s", table.name, ", ".join(c.name for c in lacking))
        rows, mode = completed(table, stored), "overwrite"
        if all(c.before is None for c in lacking):
            rows, mode = rows.where("false"), "append"
        rows.write.format("delta").mode(mode).option("mergeSchema", "true").save(self.path(table))
        fault_point(f"write.{table.name}.grown")

    def _has_no_file(self, table: Table, version: int) -> bool:
        """Whether the latest version is meant and Delta knows, without a job, that it has no file."""
        snapshot = self._deltas.forTable(self.spark._jsparkSession, self.path(table)).unsafeVolatileSnapshot()
        files = snapshot.numOfFilesIfKnown()
        return bool(snapshot.version() == version and files.isDefined() and files.get() == 0)

    def _register(self, table: Table) -> None:
        if self.catalog:
            schema = f"{self.catalog}{table.layer}"
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            self.spark.sql(
                f"CREATE TABLE IF NOT EXISTS {schema}.{table.short} USING delta LOCATION '{self.path(table)}'"
            )

    def _touched(self, table: Table) -> list[SparkColumn]:
        return [F.collect_set(table.partition[0]).alias("touched")] if table.write == "partitions" else []

    def _overwrite(self, table: Table, rows: DataFrame, run_date: date, stage: str) -> None:
        writer = rows.write.format("delta").mode("append" if table.write == "append" else "overwrite")
        if table.write == "partitions":
            writer = writer.option("partitionOverwriteMode", "dynamic")
        if table.nightly:
            writer = writer.option("replaceWhere", self._part(table, run_date, stage))
        writer.save(self.path(table))

    def _part(self, table: Table, run_date: date, stage: str) -> str:
        night = f"{RUN_DATE} = '{run_date}'"
        return f"{night} AND stage = '{stage}'" if "stage" in table.partition else night

    def _written(self, table: Table, run_date: date, stage: str, observed: dict[str, object]) -> DataFrame:
        rows = self.read(table)
        if table.nightly:
            return rows.where(self._part(table, run_date, stage))
        if table.write == "partitions":
            return rows.where(F.col(table.partition[0]).isin(observed["touched"] or []))
        return rows

    def _merge(self, table: Table, rows: DataFrame, observation: Observation, night: str) -> int:
        # A MERGE may read its source twice: what a model computed must neither be paid twice nor differ.
        with _persisted(rows) as source:
            source.count()
            count = check_rows(table, observation.get, night)
            if count:
                check_key(table, source, night)
                same = " AND ".join(f"old.{k} = new.{k}" for k in table.key)
                target = DeltaTable.forPath(self.spark, self.path(table)).alias("old")
                target.merge(source.alias("new"), same).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
            fault_point(f"write.{table.name}.committed")
            return count


@contextmanager
def _persisted(rows: DataFrame) -> Iterator[DataFrame]:
    rows.persist()
    try:
        yield rows
    finally:
        rows.unpersist()
