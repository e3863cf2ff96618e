"""One night from landing to page: lock, recover, run, publish, report."""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from recsynth.apps.aspects import check_examples
from recsynth.checks.check import check_rules
from recsynth.errors import ContractError, ErasureError, HeldError, InputError, RecsynthError
from recsynth.expiry import expire
from recsynth.faults import fault_point
from recsynth.ledger import Ledger
from recsynth.lock import lake_lock
from recsynth.model.champion import champion
from recsynth.model.folder import check_folder
from recsynth.pipeline import STAGES
from recsynth.report.page import write_page
from recsynth.retention import RUN_PREFIX, Tidied, is_due, tidy
from recsynth.runner import Choice, Runner
from recsynth.settings import Settings
from recsynth.shop.landing import simulate
from recsynth.stage import Night, Stage
from recsynth.store import Store
from recsynth.tables import RUN_DATE, TABLES
from recsynth.tables.model import MODELS
from recsynth.tables.ops import CHECKS, ERASURES

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1


def run_night(
    spark: SparkSession, settings: Settings, as_of: date, choice: Choice | None = None, stages: Sequence[Stage] = STAGES
) -> Path:
    """Run the night of a date and return its page.

    A stage that is done is not done again; what a dead run left half done is put back first; the date is
    published once every stage is done. Raises a RecsynthError with everything put back as it was: after bad
    input to the start of the run, after any other failure to the end of the last finished stage. Raises HeldError,
    with the page written, if all is done but a rule of `ops.checks` holds the night back.
    """
    check_rules(spark, settings.checks)
    check_examples(settings.apps.sentiment)
    night = Night(f"{as_of}-{uuid.uuid4().hex[:8]}", as_of, datetime.now(UTC), settings)
    landing = Path(settings.paths.landing)
    with held_lake(spark, night) as ledger:
        store = ledger.store
        if settings.simulate and not landing.exists():
            log.info("simulating a shop of %d users into %s", settings.shop.users, landing)
            simulate(spark, settings.shop, settings.seed, landing)
        check_champion(store, night)
        check_erasures(store)
        for table in ledger.mend(as_of):
            log.warning("%s is gone: everything is cleaned again from bronze", table)
        # Before the night begins: afterwards, a run of the same date would find other versions and not nothing to do.
        if not ledger.is_published(as_of) and is_due(ledger, settings.retention):
            tidy_lake(ledger, night, stages)
        ledger.begin(night)
        try:
            fault_point("night.begun")
            broken = _run(Runner(store, ledger, night, stages), choice or Choice())
        except BaseException as error:
            _put_back(ledger, night, error)
            raise
        ledger.end(night, f"held back by {', '.join(broken)}"[:500] if broken else None)
        written = page(store, night)
        fault_point("night.paged")
        if broken:
            raise HeldError(
                f"{as_of}: expected every rule that holds a night to pass, found {', '.join(broken)} failed; the night "
                f"is not published (see ops.checks and {written})"
            )
        return written


def tidy_lake(ledger: Ledger, night: Night, stages: Sequence[Stage] = STAGES) -> Tidied:
    """Tidy the lake and write that it was done."""
    log.info("tidying the lake")
    before = ledger.store.versions()
    expired = expire(ledger, night)
    tidied = tidy(ledger, night.settings.retention, stages)
    tidied.expired = expired
    ledger.follow(before)
    ledger.end(replace(night, run_id=f"{RUN_PREFIX}{night.run_id}"))
    for line in str(tidied).splitlines():
        log.info("tidied: %s", line)
    return tidied


@contextmanager
def held_lake(spark: SparkSession, night: Night) -> Iterator[Ledger]:
    """Hold the lake alone for a run, with what a dead run left put back; the run's scratch folder ends with it.

    Raises LakeBusyError, or ContractError if the lake was written by another version of the tables.
    """
    paths = night.settings.paths
    with lake_lock(paths.lake, night.run_id) as lease:
        check_schema_version(paths.lake)
        ledger = Ledger(Store(spark, paths.lake, paths.catalog, lease.check))
        for table in ledger.recover():
            log.warning("%s: put back what a dead run left", table)
        try:
            yield ledger
        finally:
            shutil.rmtree(night.work, ignore_errors=True)


def page(store: Store, night: Night) -> Path:
    """Write the page of a night from its tables."""
    frames = {t.short: store.read_night(t, night.as_of) if t.nightly else store.read(t) for t in TABLES.values()}
    frames["stage_runs"] = frames["stage_runs"].where(F.col(RUN_DATE) == F.lit(night.as_of))
    return write_page(frames, night, Path(night.settings.paths.report))


def nights(first: date, last: date, step_days: int = 1) -> Iterable[date]:
    """The as-of dates of a backfill, oldest first, both ends included."""
    count = (last - first).days // step_days + 1
    return (first + timedelta(days=i * step_days) for i in range(count))


def check_schema_version(lake: str) -> None:
    """Raise ContractError if the lake was written by another version of the tables; mark a new lake."""
    marker = Path(lake) / "_recsynth.json"
    if not marker.exists():
        marker.write_text(json.dumps({"schema_version": SCHEMA_VERSION}))
    try:
        found = json.loads(marker.read_text()).get("schema_version")
    except (json.JSONDecodeError, AttributeError):
        found = marker.read_text()[:40]
    if found != SCHEMA_VERSION:
        raise ContractError(str(marker), "schema_version", str(SCHEMA_VERSION), str(found))


def check_champion(store: Store, night: Night) -> None:
    """Raise ModelError if the model that the night would start from is not what its manifest says."""
    best = champion(store.read(MODELS).where(F.col(RUN_DATE) <= F.lit(night.as_of)))
    if best is not None:
        check_folder(night.models.parent / best.path)


def check_erasures(store: Store) -> None:
    """Raise ErasureError if an erasure was killed on the way: what it deleted and what it counted are not yet one."""
    begun = store.read(ERASURES).where("status = 'running'").agg(F.min("started_at")).first()
    if begun is not None and begun[0] is not None:
        raise ErasureError(
            f"{store.lake}: expected no erasure on the way, found one begun at {begun[0]} UTC: "
            "run jobs/erase.py for the same ids again"
        )


def _run(runner: Runner, choice: Choice) -> list[str]:
    """Run what is not done, publish what is complete; returns the rules that hold the night back."""
    names = [stage.name for stage in runner.stages]
    for name in filter(None, (choice.from_stage, choice.only)):
        if name not in names:
            raise InputError("stage", f"one of {', '.join(names)}", name)
    runner.run(choice)
    as_of = runner.night.as_of
    if not runner.is_complete() or runner.ledger.is_published(as_of):
        return []
    broken = broken_rules(runner.ledger.store, as_of)
    if not broken:
        runner.ledger.publish(runner.night)
        fault_point("night.published")
        log.info("published %s", as_of)
    return broken


def broken_rules(store: Store, as_of: date) -> list[str]:
    """Names of the rules that hold a night back; bound: the rules of the settings."""
    judged = store.read_night(CHECKS, as_of).where("on_failure = 'hold' and outcome = 'failed'")
    return sorted(row.rule for row in judged.select("rule").collect())


def _put_back(ledger: Ledger, night: Night, error: BaseException) -> None:
    restored = ledger.put_back(night.run_id, to_start=isinstance(error, InputError))
    ledger.end(night, f"{type(error).__name__}: {error}".splitlines()[0][:500])
    if not isinstance(error, RecsynthError):
        log.error("%s failed; put back: %s", night.run_id, ", ".join(restored) or "nothing")
