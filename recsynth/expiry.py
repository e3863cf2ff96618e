"""Expiry: what people did longer ago than `[retention]` allows leaves the lake, and stays counted."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.faults import fault_point
from recsynth.ledger import Ledger
from recsynth.source import LOCAL_FORMATS
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables import RUN_DATE, Table
from recsynth.tables.bronze import LANDED_FILES, ROWS
from recsynth.tables.ops import EXPIRED, PUBLISHED
from recsynth.tables.silver import CLEANED_FILES, EVENTS, POSTS, QUARANTINE, REVIEWS, TICKETS

log = logging.getLogger(__name__)

RUN_PREFIX = "expire-"


@dataclass(frozen=True)
class Part:
    """Rows of one table that are past their days: those that satisfy a SQL condition, or, without one, of `files`."""

    table: Table
    before: datetime
    condition: str = ""
    files: DataFrame | None = None

    def rows(self, store: Store) -> DataFrame:
        """The rows."""
        every = store.read(self.table)
        return every.where(self.condition) if self.files is None else every.join(self.files, "file_id", "left_semi")

    def delete(self, store: Store) -> None:
        """Remove them."""
        if self.files is None:
            store.delete(self.table, self.condition)
        else:
            store.delete_matching(self.table, self.files, ("file_id",))


def expire(ledger: Ledger, night: Night) -> dict[str, int]:
    """Remove events, reviews, questions, posts and landed rows past their days; returns the rows removed by table.

    Changes bronze.rows, silver.quarantine, silver.events, silver.reviews, silver.tickets and silver.posts, and writes
    ops.expired, by which the account of every row still adds up. All or nothing: a failure leaves every table as it
    was, and so does a kill, once the next run begins. Their files leave the disk with the versions that have them.
    The catalogue, policies and promotions are of nobody, and stay.
    """
    store, run = ledger.store, replace(night, run_id=f"{RUN_PREFIX}{night.run_id}")
    parts = [*_of_people(store, night), *_as_landed(store, night)]
    counted = [(run.run_id, part.table.name, *counts, part.before, run.started_at)
               for part in parts for counts in _counts(store, part)]  # fmt: skip
    removed: Counter[str] = Counter()
    for _, table, _, rows, *_ in counted:
        removed[table] += rows
    if not removed:
        return {}
    ledger.begin(run)
    try:
        for part in parts:
            if part.table.name in removed:
                log.info("%s: %s rows are past their days", part.table.name, f"{removed[part.table.name]:,}")
                part.delete(store)
        fault_point("expire.deleted")
        store.write(EXPIRED, store.spark.createDataFrame(counted, EXPIRED.schema), run.as_of)
    except BaseException as error:
        ledger.put_back(run.run_id, to_start=True)
        ledger.end(run, f"{type(error).__name__}: {error}".splitlines()[0][:500])
        raise
    ledger.end(run)
    return dict(removed)


def _of_people(store: Store, night: Night) -> list[Part]:
    """What tells what people did, before the first day that stays."""
    days = night.settings.retention.event_days
    newest = store.read(PUBLISHED).agg(F.max(RUN_DATE)).first() if days else None
    if newest is None or newest[0] is None:
        return []
    # A date far ahead that somebody published by mistake must not take everything with it.
    cut: date = min(newest[0], night.started_at.date()) - timedelta(days=days)
    before = replace(night, as_of=cut).cutoff
    timed = f"ts < timestamp'{before:%Y-%m-%d %H:%M:%S}+00:00'"
    by_day = Part(EVENTS, before, f"event_date < date'{cut}'")  # whole partitions: no file is written anew
    return [by_day, *(Part(table, before, timed) for table in (REVIEWS, TICKETS, POSTS))]


def _as_landed(store: Store, night: Night) -> list[Part]:
    """Rows as they came, and those that were set aside, of files that were cleaned and landed too long ago.

    Those of a table stay: by them landing tells what is new there, and all of the table would land again.
    """
    days = night.settings.retention.raw_days
    if not days:
        return []
    before = night.started_at - timedelta(days=days)
    tables = [s.name for s in night.settings.sources if s.format not in LOCAL_FORMATS]
    old = store.read(LANDED_FILES).where((F.col("landed_at") < F.lit(before)) & ~F.col("source").isin(tables))
    files = old.join(store.read(CLEANED_FILES), "file_id", "left_semi").select("file_id")
    return [Part(table, before, files=files) for table in (ROWS, QUARANTINE)]


def _counts(store: Store, part: Part) -> list[tuple[str, int, int]]:
    """(source, rows, landed rows that only these stand for), a source each; none where there are none."""
    # A landed row is counted where cleaning has put it: bronze has it besides, and a review is an event.
    stands_for = F.sum("copies") if "copies" in part.table.column_names else F.lit(0)
    counts = part.rows(store).groupBy("source").agg(F.count("*"), stands_for.cast("bigint")).orderBy("source")
    return [(r[0], r[1], r[2]) for r in counts.collect()]
