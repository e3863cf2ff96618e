"""The record of runs: what finished, what a dead run left behind, which nights are complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from pyspark.sql import functions as F

from recsynth.stage import Night
from recsynth.store import ABSENT, Store
from recsynth.tables import TABLES
from recsynth.tables.ops import PUBLISHED, RUNS, STAGE_RUNS

_OWN = {RUNS.name, STAGE_RUNS.name}


@dataclass(frozen=True)
class StageRun:
    """What one finished stage read, wrote and cost."""

    stage: str
    status: str
    fingerprint: str
    versions_read: dict[str, int]
    versions_written: dict[str, int]
    rows_written: dict[str, int]
    seconds: float
    started_at: datetime


class Ledger:
    """Writes `runs`, `stage_runs` and `published`, and puts tables back that a dead run left half changed."""

    def __init__(self, store: Store) -> None:
        self.store, self.spark = store, store.spark

    def begin(self, night: Night) -> None:
        """Write the run as running, with the version of every table at its start."""
        versions = {n: v for n, v in self.store.versions().items() if n not in _OWN}
        self._write_run(night, "running", None, None, versions)

    def end(self, night: Night, error: str | None = None) -> None:
        """Write how the run ended."""
        versions = self._run_versions(night.run_id)
        self._write_run(night, "failed" if error else "complete", datetime.now(UTC), error, versions)

    def finished(self, night: Night, run: StageRun) -> None:
        """Write a stage as finished; until then a later run would put its tables back."""
        row = (
            night.run_id,
            night.as_of,
            run.stage,
            run.status,
            run.fingerprint,
            run.versions_read,
            run.versions_written,
            run.rows_written,
            run.seconds,
            run.started_at,
        )
        self.store.write(STAGE_RUNS, self.spark.createDataFrame([row], STAGE_RUNS.schema), night.as_of)

    def fingerprints(self, as_of: date) -> dict[str, str]:
        """Stage to the fingerprint of its latest finished run for a date."""
        latest = self.store.read(STAGE_RUNS).where(F.col("run_date") == F.lit(as_of)).groupBy("stage")
        rows = latest.agg(F.max_by("fingerprint", "started_at").alias("fingerprint")).collect()  # one row a stage
        return {r.stage: r.fingerprint for r in rows}

    def publish(self, night: Night) -> None:
        """Declare the night complete, with the version of every table that holds it."""
        versions = {n: v for n, v in self.store.versions().items() if v != ABSENT and n not in _OWN}
        row = (night.as_of, night.run_id, versions, datetime.now(UTC))
        self.store.write(PUBLISHED, self.spark.createDataFrame([row], PUBLISHED.schema), night.as_of)

    def unpublish(self, as_of: date) -> None:
        """Take a date back before its tables change, so that nobody reads half of it."""
        self.store.delete(PUBLISHED, f"run_date = '{as_of}'")

    def is_published(self, as_of: date) -> bool:
        """Whether the date is complete."""
        return bool(self.store.read(PUBLISHED).where(F.col("run_date") == F.lit(as_of)).take(1))

    def recover(self) -> list[str]:
        """Undo what runs that died or failed left unfinished; returns the tables that were put back.

        A table's right version is the one that the last finished stage wrote, or the one at the run's start.
        """
        open_runs = self.store.read(RUNS).where("status = 'running'").orderBy(F.col("started_at").desc()).take(1)
        for run in open_runs:
            restored = self.put_back(run.run_id)
            died = run.asDict() | {"status": "failed", "ended_at": datetime.now(UTC), "error": "died"}
            row = tuple(died[name] for name in RUNS.column_names)
            self.store.write(RUNS, self.spark.createDataFrame([row], RUNS.schema), run.run_date)
            return restored
        return []

    def put_back(self, run_id: str, to_start: bool = False) -> list[str]:
        """Restore each table to its last finished version, or to the one at the start of the run."""
        right = self._run_versions(run_id)
        if not to_start:
            finished = self.store.read(STAGE_RUNS).where(F.col("run_id") == run_id).orderBy("started_at")
            for run in finished.collect():  # one row a stage
                right |= run.versions_written
        # A date that was taken back before its tables changed stays back, unless all is as it was at the start.
        right = {n: v for n, v in right.items() if to_start or n != PUBLISHED.name}
        changed = [n for n, v in right.items() if self.store.version(TABLES[n]) != v]
        for name in changed:
            self.store.restore(TABLES[name], right[name])
        return changed

    def _run_versions(self, run_id: str) -> dict[str, int]:
        row = self.store.read(RUNS).where(F.col("run_id") == run_id).select("versions_at_start").first()
        return dict(row[0]) if row else {}

    def _write_run(
        self, night: Night, status: str, ended: datetime | None, error: str | None, versions: dict[str, int]
    ) -> None:
        row = (
            night.run_id,
            night.as_of,
            status,
            night.settings.seed,
            night.settings.config_hash,
            versions,
            night.started_at,
            ended,
            error,
        )
        self.store.write(RUNS, self.spark.createDataFrame([row], RUNS.schema), night.as_of)
