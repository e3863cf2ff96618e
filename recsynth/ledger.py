"""The record of runs: what finished, what a dead run left behind, which nights are complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import permutations

from pyspark.sql import functions as F

from recsynth.errors import ContractError
from recsynth.stage import Night
from recsynth.store import ABSENT, Store
from recsynth.tables import TABLES
from recsynth.tables.bronze import LANDED_FILES, ROWS
from recsynth.tables.ops import EXPIRED, PUBLISHED, RUNS, STAGE_RUNS
from recsynth.tables.silver import CLEANED_FILES

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


@dataclass(frozen=True)
class Done:
    """A stage's latest fingerprint for a date (None: not done for it) and the tables that it wrote the last time."""

    fingerprint: str | None
    tables: frozenset[str]


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

    def done(self, as_of: date) -> dict[str, Done]:
        """What each stage has finished, for a date; of tables that are not nightly, on any date.

        Of its runs that wrote anything the last one tells the tables: what an older one wrote besides may be of a
        source that is configured no more.
        """
        written, is_of_date = F.map_keys("versions_written"), F.col("run_date") == F.lit(as_of)
        wrote_at = F.when(F.size(written) > 0, F.col("started_at"))
        rows = (
            self.store.read(STAGE_RUNS)
            .groupBy("stage")
            .agg(
                F.max_by("fingerprint", F.when(is_of_date, F.col("started_at"))).alias("fingerprint"),
                F.max_by(written, F.when(is_of_date, wrote_at)).alias("of_date"),
                F.max_by(written, wrote_at).alias("ever"),
            )
            .collect()  # one row a stage
        )
        return {r.stage: Done(r.fingerprint, _standing(r.of_date or (), r.ever or ())) for r in rows}

    def fingerprints(self, as_of: date) -> dict[str, str]:
        """Stage to the fingerprint of its latest finished run for a date."""
        return {stage: done.fingerprint for stage, done in self.done(as_of).items() if done.fingerprint is not None}

    def publish(self, night: Night) -> None:
        """Declare the night complete, with the version of every table that holds it."""
        versions = {n: v for n, v in self.store.versions().items() if v != ABSENT and n not in _OWN}
        row = (night.as_of, night.run_id, versions, datetime.now(UTC))
        self.store.write(PUBLISHED, self.spark.createDataFrame([row], PUBLISHED.schema), night.as_of)

    def unpublish(self, as_of: date) -> None:
        """Take a date back before its tables change, so that nobody reads half of it."""
        self.store.delete(PUBLISHED, f"run_date = '{as_of}'")

    def follow(self, before: Mapping[str, int]) -> None:
        """Send readers of the newest night to its tables as tidying left them: the versions before leave the disk.

        before: the versions that tidying found. A table that the night was not sent to in that version is another
        night's by then, of one that was rolled back, say: there its readers stay where they are.
        """
        latest = self.store.versions()
        for night in self.store.read(PUBLISHED).orderBy(F.col("run_date").desc()).take(1):
            now = {n: latest[n] if v == before.get(n) else v for n, v in night.versions.items()}
            if now != night.versions:
                row = (night.run_date, night.run_id, now, night.published_at)
                self.store.write(PUBLISHED, self.spark.createDataFrame([row], PUBLISHED.schema), night.run_date)

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

    def mend(self, as_of: date) -> list[str]:
        """Remove all that cleaning made where a part of it is gone; returns what was gone.

        Its tables count the same rows: one alone cannot be made again, all of them can, from bronze. What landed
        cannot: raises ContractError where one of bronze's two tables is gone, or anything was removed for its age.
        """
        for one, other in permutations((LANDED_FILES, ROWS)):
            if self.store.version(one) == ABSENT and self.store.version(other) != ABSENT:
                raise ContractError(
                    one.name, "*", f"the table, for {other.name} is there; put it back from a copy", "none"
                )
        done = self.done(as_of).get(CLEANED_FILES.writer)
        cleaned = [TABLES[name] for name in sorted(done.tables)] if done else []
        gone = [table.name for table in cleaned if self.store.version(table) == ABSENT]
        if gone and not self.store.read(EXPIRED).isEmpty():
            raise ContractError(
                gone[0],
                "*",
                "the table; what [retention] has removed for its age cannot be cleaned again: put it back from a copy",
                "none",
            )
        for table in cleaned if gone else []:
            self.store.restore(table, ABSENT)
        return gone

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


def _standing(of_date: Iterable[str], ever: Iterable[str]) -> frozenset[str]:
    """The tables that must be there: nightly ones that a date has written, and the others that any has."""
    nightly = {name for name in of_date if name in TABLES and TABLES[name].nightly}
    return frozenset(nightly | {name for name in ever if name in TABLES and not TABLES[name].nightly})
