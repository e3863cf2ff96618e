"""Replay: rows that were set aside are cleaned again, under settings that were mended since."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from recsynth.errors import AccountingError, InputError
from recsynth.ledger import Ledger
from recsynth.silver.clean import cleaned, with_path
from recsynth.stage import Night
from recsynth.store import Store
from recsynth.tables.bronze import COLUMN_CHANGES, LANDED_FILES, ROWS
from recsynth.tables.silver import CLEANED_FILES, EVENTS, ITEM_RECORDS, POLICIES, POSTS, PROMOTIONS, QUARANTINE, TICKETS

log = logging.getLogger(__name__)

_KEY = ("file_id", "row_hash")


@dataclass(frozen=True)
class Replayed:
    """Landed rows that are kept now, and that are set aside still."""

    kept: int
    set_aside: int

    def __str__(self) -> str:
        return f"kept now: {self.kept:,}\nset aside still: {self.set_aside:,}"


def replay(ledger: Ledger, night: Night, source: str, reason: str = "") -> Replayed:
    """Clean the rows of a source that were set aside, for one reason or for any, on a lake that is held.

    Changes silver.events, silver.item_records, silver.tickets, silver.policies, silver.posts and silver.promotions by
    what is good now, silver.quarantine and silver.cleaned_files by the same rows; nights that see them are done anew
    when they are run again. All or nothing: a failure, or a kill, leaves every table as it was. Raises InputError for a
    source that is not configured, AccountingError where bronze does not hold what was set aside.
    """
    names = [s.name for s in night.settings.sources]
    if source not in names:
        raise InputError("source", f"one of {', '.join(names)}", source)
    ledger.begin(night)
    try:
        done = _replay(ledger.store, night, source, reason)
    except BaseException as error:
        ledger.put_back(night.run_id, to_start=True)
        ledger.end(night, f"{type(error).__name__}: {error}".splitlines()[0][:500])
        raise
    ledger.end(night)
    return done


def _replay(store: Store, night: Night, source: str, reason: str) -> Replayed:
    aside = store.read(QUARANTINE).where(F.col("source") == source)
    aside = (aside.where(F.col("reason") == reason) if reason else aside).localCheckpoint()
    rows = store.read(ROWS).where(F.col("source") == source).withColumn("row_hash", F.sha2("raw", 256))
    again = rows.join(aside.select(*_KEY), on=list(_KEY), how="left_semi").drop("row_hash")
    fresh = with_path(again, store.read(LANDED_FILES)).localCheckpoint()
    _check_counts(aside, fresh, source)
    log.info("cleaning %s rows of %s again", f"{fresh.count():,}", source)
    kinds = (EVENTS, ITEM_RECORDS, TICKETS, POLICIES, POSTS, PROMOTIONS)
    before = {table.short: store.read(table) for table in kinds}
    result, verdicts = cleaned(fresh, store.read(COLUMN_CHANGES), **before, night=night)
    judged = verdicts.withColumn("row_hash", F.sha2("raw", 256)).localCheckpoint()
    good = judged.where("reason is null")
    for table in kinds:
        if table.short in result:
            store.write(table, result[table.short], night.as_of)
    # What is good leaves quarantine; what is bad still may be so for another reason.
    reasons = judged.where("reason is not null").select(*_KEY, "reason").distinct()
    store.delete_matching(QUARANTINE, good, _KEY)
    still = aside.drop("reason").join(reasons, on=list(_KEY), how="inner")
    store.write(QUARANTINE, still.select(*QUARANTINE.column_names), night.as_of)
    store.write(CLEANED_FILES, _counted(store.read(CLEANED_FILES), good), night.as_of)
    return Replayed(good.count(), judged.count() - good.count())


def _check_counts(aside: DataFrame, fresh: DataFrame, source: str) -> None:
    expected = aside.agg(F.coalesce(F.sum("copies"), F.lit(0))).first()
    found = fresh.count()
    if expected is None or expected[0] != found:
        counted = expected[0] if expected else 0
        raise AccountingError(f"source {source}: expected {counted} rows that were set aside in bronze, found {found}")


def _counted(files: DataFrame, good: DataFrame) -> DataFrame:
    """Files of which rows are kept now, with the counts moved from one side to the other."""
    moved = good.groupBy("file_id").agg(F.count("*").alias("moved"))
    both = files.join(moved, on="file_id", how="inner")
    return both.withColumns(
        {"kept": F.col("kept") + F.col("moved"), "quarantined": F.col("quarantined") - F.col("moved")}
    ).select(*CLEANED_FILES.column_names)
