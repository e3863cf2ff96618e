"""Runs the stages of a night in order: reads, calls, writes, records; skips what is done already."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.faults import fault_point
from recsynth.ledger import Ledger, StageRun
from recsynth.stage import Frames, Night, Stage, code_hash
from recsynth.store import ABSENT, Store
from recsynth.tables import RUN_DATE, TABLES, Table
from recsynth.tables.ops import PUBLISHED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """Which stages to run although they are done (`--from-stage`), or alone (`--only`)."""

    from_stage: str | None = None
    only: str | None = None


class Runner:
    """One night on one lake."""

    def __init__(self, store: Store, ledger: Ledger, night: Night, stages: Sequence[Stage]) -> None:
        self.store, self.ledger, self.night, self.stages = store, ledger, night, stages
        self._done = self._standing()
        self._visible: dict[tuple[str, int], str] = {}
        self._fingerprints: dict[str, str] = {}

    def run(self, choice: Choice) -> bool:
        """Run what is not done; returns whether any stage was run anew."""
        is_forced, has_run = False, False
        for number, stage in enumerate(self.stages, start=1):
            is_forced = is_forced or stage.name == choice.from_stage
            fingerprint = self.fingerprint(stage)
            self._fingerprints[stage.name] = fingerprint
            if choice.only and stage.name != choice.only:
                continue
            label = f"[{number:2d}/{len(self.stages)}] {stage.name}"
            if self._done.get(stage.name) == fingerprint and not is_forced and not choice.only:
                log.info("%s: done before", label)
                continue
            self._unpublish_once(has_run, stage)
            log.info("%s: running", label)
            seconds, rows = self._execute(stage, fingerprint)
            log.info(
                "%s: %s in %.1f s", label, ", ".join(f"{n} {r:,}" for n, r in rows.items()) or "nothing new", seconds
            )
            has_run = has_run or _is_nightly(stage)
        return has_run

    def is_complete(self) -> bool:
        """Whether every nightly stage is done as the settings, the code and the input now ask for."""
        done = self._standing()
        return all(done.get(s.name) == self._fingerprints.get(s.name) for s in self.stages if _is_nightly(s))

    def _standing(self) -> dict[str, str]:
        """Finished stages of the date and their fingerprints, without those of which a table was removed since."""
        there = {name for name, version in self.store.versions().items() if version != ABSENT}
        done = self.ledger.done(self.night.as_of)
        return {s: d.fingerprint for s, d in done.items() if d.fingerprint is not None and d.tables <= there}

    def fingerprint(self, stage: Stage) -> str:
        """What the stage's result depends on: settings, code, date and the content that it reads.

        A nightly table counts by the stage that writes it, a table with a time by its rows before the
        cut-off, any other by its Delta version; what a stage itself writes does not count.
        """
        parts = [self.night.settings.config_hash, str(self.night.as_of), code_hash(), stage.name]
        for name in stage.reads:
            table = TABLES[name]
            if name in stage.writes:
                continue
            if table.nightly:
                parts.append(self._fingerprints.get(table.writer, ""))
            elif table.time is not None and name not in stage.sees_future:
                parts.append(self._visible_content(table))
            else:
                parts.append(f"{name}@{self.store.version(table)}")
        if stage.section:
            parts.append(self.night.settings.section_hash(stage.section))
        if not stage.reads or stage.name == "land":
            parts.append(str(time.time_ns()))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def frames(self, stage: Stage) -> dict[str, DataFrame]:
        """The tables that a stage reads, as it may see them."""
        return {TABLES[name].short: self._view(stage, TABLES[name]) for name in stage.reads}

    def _view(self, stage: Stage, table: Table) -> DataFrame:
        night = self.night
        if table.nightly and table.name in stage.sees_nights:
            rows, run_date = self.store.read(table), F.col(RUN_DATE)
            if any(table.name in s.writes for s in self.stages[self.stages.index(stage) + 1 :]):
                # What was held back or rolled back nobody reads.
                shown = F.broadcast(self.store.read(PUBLISHED).select(RUN_DATE))
                rows = rows.join(shown, on=RUN_DATE, how="left_semi").where(run_date < F.lit(night.as_of))
            is_own = table.name in stage.writes
            return rows.where(run_date < F.lit(night.as_of) if is_own else run_date <= F.lit(night.as_of))
        if table.nightly:
            return self.store.read_night(table, night.as_of)
        if table.name in stage.sees_future:
            return self.store.read(table)
        return self.store.read_before(table, night.cutoff, night.as_of)

    def _execute(self, stage: Stage, fingerprint: str) -> tuple[float, dict[str, int]]:
        started, clock = datetime.now(UTC), time.monotonic()
        read = {name: self.store.version(TABLES[name]) for name in stage.reads}
        night = replace(self.night, data_versions=read)
        results = _by_name(stage, stage.function(**self.frames(stage), night=night))
        fault_point(f"stage.{stage.name}.computed")
        rows = {
            name: self.store.write(TABLES[name], results[TABLES[name].short], night.as_of, stage.name)
            for name in stage.writes
            if TABLES[name].short in results
        }
        written = {name: self.store.version(TABLES[name]) for name in rows}
        seconds = time.monotonic() - clock
        self.ledger.finished(
            night, StageRun(stage.name, "complete", fingerprint, read, written, rows, seconds, started)
        )
        fault_point(f"stage.{stage.name}.finished")
        self.store.spark.catalog.clearCache()  # A stage returns lazy frames: what it persisted is free only now.
        return seconds, rows

    def _unpublish_once(self, has_run: bool, stage: Stage) -> None:
        if not has_run and _is_nightly(stage):
            self.ledger.unpublish(self.night.as_of)

    def _visible_content(self, table: Table) -> str:
        version = self.store.version(table)
        if (table.name, version) not in self._visible:
            rows = self.store.read_before(table, self.night.cutoff, self.night.as_of)
            row_hash = F.xxhash64(F.to_json(F.struct(*table.column_names))).cast("decimal(38,0)")
            self._visible[table.name, version] = str(rows.agg(F.count("*"), F.sum(row_hash)).first())
        return self._visible[table.name, version]


def _by_name(stage: Stage, result: DataFrame | Frames) -> Frames:
    if isinstance(result, DataFrame):
        return {TABLES[stage.writes[0]].short: result}
    return result


def _is_nightly(stage: Stage) -> bool:
    return any(TABLES[name].nightly for name in stage.writes)


def describe(stages: Sequence[Stage]) -> str:
    """The plan of a dry run: one line a stage, what it reads and writes."""
    lines = [{"stage": s.name, "reads": s.reads, "writes": s.writes} for s in stages]
    return "\n".join(json.dumps(line) for line in lines)
